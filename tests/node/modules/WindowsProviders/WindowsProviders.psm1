# What the registry and the files refuse an account without rights, and the drive WSMan:, in front of the commands of Microsoft.PowerShell.Management. The errors
# are those that 5.1's providers write (public outputs). Anything else goes through to the real command.

Set-StrictMode -Version 2.0

# Users read HKLM\SOFTWARE and HKLM\SYSTEM, and write nowhere in them (Microsoft: default security of the registry).
function Test-Refused($Cmdlet, $Paths) {
    if (-not $env:DRYDOCK_RIGHTS) { return $false }
    foreach ($path in @($Paths)) {
        if ("$path" -notlike 'HKLM:*') { continue }
        Write-StubError $Cmdlet 'System.Security.SecurityException' 'PermissionDenied' 'Requested registry access is not allowed.' 0 $path 'Registry'
        return $true
    }
    $false
}

function Get-ChildItem {
    [CmdletBinding(DefaultParameterSetName = 'Items')]
    param(
        [Parameter(Position = 0, ParameterSetName = 'Items')][string[]]$Path,
        [Parameter(Mandatory, ParameterSetName = 'LiteralItems')][Alias('PSPath')][string[]]$LiteralPath,
        [Parameter(Position = 1)][string]$Filter, [string[]]$Include, [string[]]$Exclude, [switch]$Recurse, [uint32]$Depth, [switch]$Force, [switch]$Name,
        [switch]$File, [switch]$Directory, [switch]$Hidden)
    $where = "$(if ($LiteralPath) { $LiteralPath } else { $Path })"
    if ($where -eq 'WSMan:\localhost\Shell') {
        # Only administrators may look at the configuration (Microsoft: about_WSMan_Provider); the words are believed.
        if ($env:DRYDOCK_RIGHTS) {
            Write-StubError $PSCmdlet 'System.InvalidOperationException' 'InvalidOperation' 'Access is denied.' 0 $where 'Service'
            return
        }
        # Microsoft: Quota management for remote shells; its numbers differ from page to page.
        $quotas = [ordered]@{ AllowRemoteShellAccess = 'true'; IdleTimeout = '7200000'; MaxProcessesPerShell = '25'; MaxMemoryPerShellMB = '1024'; MaxShellsPerUser = '30' }
        foreach ($quota in $quotas.Keys) { New-StubObject 'Microsoft.WSMan.Management.WSManConfigLeafElement' ([ordered]@{ Name = $quota; Value = $quotas[$quota]; Type = 'System.String' }) }
        return
    }
    # What Protect-Folder leaves to administrators and SYSTEM.
    if ($env:DRYDOCK_RIGHTS -and $where -like "$env:ProgramData/Drydock*" -and (Test-Path -LiteralPath $where)) {
        Write-StubError $PSCmdlet 'DirUnauthorizedAccessError' 'PermissionDenied' "Access to the path '$where' is denied." 0 $where 'File'
        return
    }
    Microsoft.PowerShell.Management\Get-ChildItem @PSBoundParameters
}

function New-Item {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string[]]$Path, [string]$Name, [Alias('Type')][string]$ItemType, $Value, [switch]$Force)
    if (-not (Test-Refused $PSCmdlet $Path)) { Microsoft.PowerShell.Management\New-Item @PSBoundParameters }
}

function New-ItemProperty {
    [CmdletBinding(DefaultParameterSetName = 'Path')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Path')][string[]]$Path,
        [Parameter(Mandatory, ParameterSetName = 'LiteralPath')][Alias('PSPath')][string[]]$LiteralPath,
        [Parameter(Mandatory, Position = 1)][string]$Name, [Alias('Type')][string]$PropertyType, $Value, [switch]$Force)
    if (-not (Test-Refused $PSCmdlet @($Path, $LiteralPath))) { Microsoft.PowerShell.Management\New-ItemProperty @PSBoundParameters }
}

function Set-ItemProperty {
    [CmdletBinding(DefaultParameterSetName = 'Path')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Path')][string[]]$Path,
        [Parameter(Mandatory, ParameterSetName = 'LiteralPath')][Alias('PSPath')][string[]]$LiteralPath,
        [Parameter(Mandatory, Position = 1)][string]$Name, [Parameter(Position = 2)]$Value, [switch]$Force)
    if (-not (Test-Refused $PSCmdlet @($Path, $LiteralPath))) { Microsoft.PowerShell.Management\Set-ItemProperty @PSBoundParameters }
}

function Remove-Item {
    [CmdletBinding(DefaultParameterSetName = 'Path')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Path')][string[]]$Path,
        [Parameter(Mandatory, ParameterSetName = 'LiteralPath')][Alias('PSPath')][string[]]$LiteralPath,
        [switch]$Recurse, [switch]$Force)
    if (-not (Test-Refused $PSCmdlet @($Path, $LiteralPath))) { Microsoft.PowerShell.Management\Remove-Item @PSBoundParameters }
}

function Remove-ItemProperty {
    [CmdletBinding(DefaultParameterSetName = 'Path')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Path')][string[]]$Path,
        [Parameter(Mandatory, ParameterSetName = 'LiteralPath')][Alias('PSPath')][string[]]$LiteralPath,
        [Parameter(Mandatory, Position = 1)][string[]]$Name, [switch]$Force)
    if (-not (Test-Refused $PSCmdlet @($Path, $LiteralPath))) { Microsoft.PowerShell.Management\Remove-ItemProperty @PSBoundParameters }
}

Export-ModuleMember -Function 'Get-ChildItem', 'New-Item', 'New-ItemProperty', 'Set-ItemProperty', 'Remove-Item', 'Remove-ItemProperty'

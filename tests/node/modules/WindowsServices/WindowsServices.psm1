# Stub of the service commands of Microsoft.PowerShell.Management, which exist on Windows only. Parameters are those of 5.1.

Set-StrictMode -Version 2.0

enum ServiceControllerStatus { Stopped = 1; StartPending = 2; StopPending = 3; Running = 4; ContinuePending = 5; PausePending = 6; Paused = 7 }
enum ServiceStartMode { Boot = 0; System = 1; Automatic = 2; Manual = 3; Disabled = 4 }

function New-Service1([string]$Name, $Row) {
    New-StubObject 'System.ServiceProcess.ServiceController' ([ordered]@{
        Name = $Name; ServiceName = $Name; DisplayName = $Row.display; Status = [ServiceControllerStatus]$Row.status; StartType = [ServiceStartMode]$Row.start
        CanStop = $true; MachineName = '.'
    })
}

function Find-Service($Cmdlet, $Names) {
    $rows = Invoke-Platform 'services' @{} $Cmdlet
    if ($null -eq $rows) { return }
    if ($null -eq $Names) { $Names = @('*') }
    foreach ($name in @($Names)) {
        $found = @($rows.PSObject.Properties | Where-Object { $_.Name -like $name })
        # An unknown service is an error, not nothing.
        if ($found.Count -eq 0 -and -not [WildcardPattern]::ContainsWildcardCharacters($name)) {
            Write-StubError $Cmdlet 'NoServiceFoundForGivenName' 'ObjectNotFound' "Cannot find any service with service name '$name'." 0 $name
        }
        foreach ($one in $found) { New-Service1 $one.Name $one.Value }
    }
}

function Get-Service {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0')]
    param(
        [Parameter(Position = 0, ParameterSetName = 's0')][string[]]$Name,
        [string[]]$ComputerName,
        [switch]$DependentServices,
        [switch]$RequiredServices,
        [string[]]$Include,
        [string[]]$Exclude,
        [Parameter(Mandatory, ParameterSetName = 's1')][string[]]$DisplayName,
        [Parameter(ValueFromPipeline, ParameterSetName = 's2')][psobject[]]$InputObject)
    process {
        Assert-StubHere $PSBoundParameters
        $found = @(Find-Service $PSCmdlet $Name)
        foreach ($service in $found) { if ($null -ne $service -and (-not $DisplayName -or (Test-StubLike $service.DisplayName $DisplayName))) { $service } }
    }
}

function Set-Service {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0', SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's0')][string]$Name,
        [string[]]$ComputerName,
        [string]$DisplayName,
        [string]$Description,
        [string]$StartupType,
        [string]$Status,
        [switch]$PassThru,
        [Parameter(ValueFromPipeline, ParameterSetName = 's1')][psobject]$InputObject)
    process {
        Assert-StubHere $PSBoundParameters
        if ($PSBoundParameters.ContainsKey('InputObject')) { $Name = $InputObject.Name }
        if ($PSBoundParameters.ContainsKey('StartupType') -and $StartupType -notin 'Automatic', 'Manual', 'Disabled', 'Boot', 'System') {
            Write-StubError $PSCmdlet 'CannotConvertArgumentNoMessage' 'InvalidData' "Cannot bind parameter 'StartupType'" 0
            return
        }
        if (@(Find-Service $PSCmdlet $Name).Count -eq 0) { return }
        [void](Invoke-Platform 'set_service' @{ name = $Name; start = $StartupType; status = $Status } $PSCmdlet)
        if ($PassThru) { Find-Service $PSCmdlet $Name }
    }
}

function Start-Service {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0', SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0, ValueFromPipeline, ParameterSetName = 's0')][psobject[]]$InputObject,
        [switch]$PassThru,
        [string[]]$Include,
        [string[]]$Exclude,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's1')][string[]]$Name,
        [Parameter(Mandatory, ParameterSetName = 's2')][string[]]$DisplayName)
    process {
        $names = $Name
        if ($PSBoundParameters.ContainsKey('InputObject')) { $names = @($InputObject | ForEach-Object { $_.Name }) }
        foreach ($one in @($names)) {
            if (@(Find-Service $PSCmdlet $one).Count -eq 0) { continue }
            [void](Invoke-Platform 'set_service' @{ name = $one; status = 'Running' } $PSCmdlet)
            if ($PassThru) { Find-Service $PSCmdlet $one }
        }
    }
}

function Stop-Service {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0', SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0, ValueFromPipeline, ParameterSetName = 's0')][psobject[]]$InputObject,
        [switch]$Force,
        [switch]$NoWait,
        [switch]$PassThru,
        [string[]]$Include,
        [string[]]$Exclude,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's1')][string[]]$Name,
        [Parameter(Mandatory, ParameterSetName = 's2')][string[]]$DisplayName)
    process {
        $names = $Name
        if ($PSBoundParameters.ContainsKey('InputObject')) { $names = @($InputObject | ForEach-Object { $_.Name }) }
        foreach ($one in @($names)) {
            if (@(Find-Service $PSCmdlet $one).Count -eq 0) { continue }
            [void](Invoke-Platform 'set_service' @{ name = $one; status = 'Stopped' } $PSCmdlet)
            if ($PassThru) { Find-Service $PSCmdlet $one }
        }
    }
}

function Restart-Service {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0', SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0, ValueFromPipeline, ParameterSetName = 's0')][psobject[]]$InputObject,
        [switch]$Force,
        [switch]$PassThru,
        [string[]]$Include,
        [string[]]$Exclude,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's1')][string[]]$Name,
        [Parameter(Mandatory, ParameterSetName = 's2')][string[]]$DisplayName)
    process {
        $names = $Name
        if ($PSBoundParameters.ContainsKey('InputObject')) { $names = @($InputObject | ForEach-Object { $_.Name }) }
        foreach ($one in @($names)) {
            if (@(Find-Service $PSCmdlet $one).Count -eq 0) { continue }
            [void](Invoke-Platform 'set_service' @{ name = $one; status = 'Stopped' } $PSCmdlet)
            [void](Invoke-Platform 'set_service' @{ name = $one; status = 'Running' } $PSCmdlet)
            if ($PassThru) { Find-Service $PSCmdlet $one }
        }
    }
}

Export-ModuleMember -Function 'Get-Service', 'Set-Service', 'Start-Service', 'Stop-Service', 'Restart-Service'

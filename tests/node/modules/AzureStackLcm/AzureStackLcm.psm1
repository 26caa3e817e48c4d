# Stub of a command that deployed solutions only have.

Set-StrictMode -Version 2.0

function Get-StampInformation {
    [CmdletBinding(PositionalBinding = $false)]
    param(
)
    $host1 = Invoke-Platform 'host' @{} $PSCmdlet
    if ($null -eq $host1 -or -not $host1.azure.stamp) { return }
    New-StubObject 'StampInformation' ([ordered]@{ StampVersion = '10.2411.0.24'; ServicesVersion = '10.2411.0.24'; InstallationMethod = 'Upgrade' })
}

Export-ModuleMember -Function 'Get-StampInformation'

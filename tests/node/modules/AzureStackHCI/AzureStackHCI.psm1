# Stub of the registration's commands, known from examples only (Microsoft: Troubleshoot Azure Stack HCI registration).

Set-StrictMode -Version 2.0

enum RegistrationStatus { NotRegistered = 0; Registered = 1; RepairRegistrationRequired = 2; OutOfPolicy = 3 }

function Get-AzureStackHCI {
    [CmdletBinding(PositionalBinding = $false)]
    param(
)
    $host1 = Invoke-Platform 'host' @{} $PSCmdlet
    if ($null -eq $host1) { return }
    $azure = $host1.azure
    New-StubObject 'Microsoft.AzureStack.HCI.PowerShell.AzureStackHCI' ([ordered]@{
        ClusterStatus = $azure.ClusterStatus; RegistrationStatus = $azure.RegistrationStatus; RegistrationDate = [datetime]'2025-01-01'; AzureResourceName = 'cluster'
        AzureResourceUri = '/Subscriptions/example'; ConnectionStatus = $azure.ConnectionStatus; LastConnected = [datetime]::UtcNow; Region = 'westeurope'
    })
}

Export-ModuleMember -Function 'Get-AzureStackHCI'

# The registration with Azure, and whether the machine runs the solution (then the operating system alone must not be upgraded). Reads only.
[CmdletBinding()]
param()
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

[ordered]@{
    registration = Get-Part {
        # Where the status is OutOfPolicy every other field is empty.
        $hci = Get-AzureStackHCI
        [ordered]@{ registrationStatus = "$(Get-PropertyOrNull $hci 'RegistrationStatus')"; connectionStatus = "$(Get-PropertyOrNull $hci 'ConnectionStatus')" }
    }
    stamp = Get-Part {
        $present = $false
        if (Get-Command -Name Get-StampInformation -ErrorAction SilentlyContinue) { $present = @(Get-StampInformation | Where-Object { $null -ne $_ }).Count -gt 0 }
        # Microsoft's own environment checker takes this service for the sign of a deployed solution.
        if (@(Get-Service | Where-Object { $_.Name -eq 'Azure Stack HCI Orchestrator Service' -or $_.DisplayName -eq 'Azure Stack HCI Orchestrator Service' }).Count -gt 0) { $present = $true }
        [ordered]@{ present = $present }
    }
}

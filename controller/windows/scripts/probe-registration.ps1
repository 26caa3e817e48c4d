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
        [ordered]@{ present = (Test-Solution) }
    }
}

# Stub of the module SecureBoot (Microsoft: Confirm-SecureBootUEFI).

Set-StrictMode -Version 2.0

function Confirm-SecureBootUEFI {
    [CmdletBinding(PositionalBinding = $false)]
    param(
)
    $true
}

Export-ModuleMember -Function 'Confirm-SecureBootUEFI'

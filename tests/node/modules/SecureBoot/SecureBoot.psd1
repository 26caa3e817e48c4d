@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'SecureBoot.psm1'
    FunctionsToExport = @(
        'Confirm-SecureBootUEFI'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

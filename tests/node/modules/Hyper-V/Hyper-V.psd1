@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'Hyper-V.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-VM'
        'Get-VMHost'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

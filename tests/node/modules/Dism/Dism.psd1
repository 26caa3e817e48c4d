@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'Dism.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-WindowsImage'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

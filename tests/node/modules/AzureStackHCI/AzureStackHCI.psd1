@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'AzureStackHCI.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-AzureStackHCI'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

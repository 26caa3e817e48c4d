@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'AzureStackLcm.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-StampInformation'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

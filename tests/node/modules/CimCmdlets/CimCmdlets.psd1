@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'CimCmdlets.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-CimInstance'
        'Invoke-CimMethod'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

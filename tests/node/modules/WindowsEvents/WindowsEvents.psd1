@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'WindowsEvents.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-WinEvent'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'WindowsServices.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-Service'
        'Set-Service'
        'Start-Service'
        'Stop-Service'
        'Restart-Service'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

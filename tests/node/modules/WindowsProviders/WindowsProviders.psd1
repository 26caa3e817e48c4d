@{
    ModuleVersion = '1.0.0.0'
    RootModule = 'WindowsProviders.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @('Get-ChildItem', 'New-Item', 'New-ItemProperty', 'Set-ItemProperty', 'Remove-Item', 'Remove-ItemProperty')
    CmdletsToExport = @()
    AliasesToExport = @()
}

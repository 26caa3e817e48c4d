@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'BitLocker.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-BitLockerVolume'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

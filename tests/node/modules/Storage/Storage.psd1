@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'Storage.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-StoragePool'
        'Get-VirtualDisk'
        'Get-StorageJob'
        'Get-PhysicalDisk'
        'Get-StorageNode'
        'Get-StorageSubSystem'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'FailoverClusters.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'Get-Cluster'
        'Get-ClusterNode'
        'Suspend-ClusterNode'
        'Resume-ClusterNode'
        'Get-ClusterGroup'
        'Get-ClusterResource'
        'Get-ClusterParameter'
        'Get-ClusterQuorum'
        'Get-ClusterSharedVolume'
        'Get-ClusterSharedVolumeState'
        'Get-ClusterNodeSupportedVersion'
        'Get-ClusterFaultDomain'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}

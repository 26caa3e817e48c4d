# What the cluster says of itself, asked through this node. Reads only.
[CmdletBinding()]
param()
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

[ordered]@{
    level = Get-Part -Cluster {
        Assert-ClusterService
        $cluster = Get-Cluster
        [ordered]@{ functional = [long]$cluster.ClusterFunctionalLevel; upgrade = [long]$cluster.ClusterUpgradeVersion }
    }
    solution = Get-Part { [ordered]@{ present = (Test-Solution) } }
    # More than one: stretched.
    sites = Get-Part -Cluster {
        Assert-ClusterService
        @(Get-ClusterFaultDomain -Type Site | Where-Object { $null -ne $_ }).Count
    }
    wouldLoseQuorum = Get-Part -Cluster { , @(Get-QuorumLosers '') }
    groups = Get-Part -Cluster {
        Assert-ClusterService
        $types = @{ '1' = 'Cluster'; '2' = 'AvailableStorage'; '4' = 'ClusterSharedVolume'; '5' = 'ClusterStoragePool'; '111' = 'VirtualMachine'; '117' = 'ClusterAwareUpdating'; '9999' = 'Unknown' }
        , @(foreach ($group in @(Get-ClusterGroup)) {
            [ordered]@{
                name = "$($group.Name)"; state = Get-GroupState $group; owner = Get-OwnerName $group
                type = Get-Word (Get-PropertyOrNull $group 'GroupType') $types; core = ("$(Get-PropertyOrNull $group 'IsCoreGroup')" -eq 'True')
            }
        })
    }
}

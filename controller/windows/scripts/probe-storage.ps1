# The clustered storage as this node sees it. Reads only.
[CmdletBinding()]
param()
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

# While the cluster service is stopped the clustered pool is not there, and an empty list would look healthy.
[ordered]@{
    disks = Get-Part -Cluster { Assert-ClusterService; [void](Get-ClusterPool); , @(Get-DiskFacts) }
    jobs = Get-Part -Cluster { Assert-ClusterService; [void](Get-ClusterPool); , @(Get-JobFacts) }
    drives = Get-Part -Cluster { , @(Get-DriveFacts) }
    pool = Get-Part -Cluster { Assert-ClusterService; Get-PoolFacts }
}

# What a node says of itself. Reads only, but for the random name of the boot, which is made at first contact.
[CmdletBinding()]
param()
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$DrydockOnce = @{}
[ordered]@{
    identity = Get-Part { Get-Identity }
    boot = Get-Part { [ordered]@{ id = Get-BootId; upMs = Get-UpMs } }
    clock = Get-Part { Format-Instant (Get-Once 'Get-OperatingSystem').LocalDateTime }
    build = Get-Part { Get-Build }
    memory = Get-Part { Get-Memory }
    registry = Get-Part {
        [ordered]@{
            refsEnableMetadataValidation = Get-RegistryNumber (Get-RefsKey) 'RefsEnableMetadataValidation'
            skipSmallLocalAllocations = Get-RegistryNumber (Get-VidKey) 'SkipSmallLocalAllocations'
        }
    }
    worker = Get-Part { Get-Worker }
    setup = Get-Part { Get-Setup }
    service = Get-Part { Get-Once 'Get-ClusterServiceState' }
    view = Get-Part -Cluster { Get-View }
    room = Get-Part -Cluster { Get-Room }
    diskFree = Get-Part {
        $disk = @(Get-CimInstance -ClassName Win32_LogicalDisk | Where-Object { $_.DeviceID -eq $env:SystemDrive })
        if ($disk.Count -ne 1 -or $null -eq $disk[0].FreeSpace) { throw (New-Fault DrydockNotThere "drive $env:SystemDrive") }
        [long]$disk[0].FreeSpace
    }
}

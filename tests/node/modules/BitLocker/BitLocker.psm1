# Stub of the module BitLocker (Microsoft: BitLocker module reference; Win32_EncryptableVolume class).

Set-StrictMode -Version 2.0

enum BitLockerVolumeProtectionStatus { Off = 0; On = 1; Unknown = 2 }
enum BitLockerVolumeStatus { FullyDecrypted = 0; FullyEncrypted = 1; EncryptionInProgress = 2; DecryptionInProgress = 3; EncryptionPaused = 4; DecryptionPaused = 5 }

function Get-BitLockerVolume {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [Parameter(Position = 0, ValueFromPipeline, ValueFromPipelineByPropertyName)][string[]]$MountPoint)
    process {
        $host1 = Invoke-Platform 'host' @{} $PSCmdlet
        if ($null -eq $host1) { return }
        New-StubObject 'Microsoft.BitLocker.Structures.BitLockerVolume' ([ordered]@{
            ComputerName = $host1.name; MountPoint = $env:SystemDrive; VolumeType = 'OperatingSystem'; VolumeStatus = [BitLockerVolumeStatus]$host1.bitlocker.volume
            ProtectionStatus = [BitLockerVolumeProtectionStatus]$host1.bitlocker.protection; LockStatus = 'Unlocked'; EncryptionPercentage = 0; KeyProtector = @()
        })
    }
}

Export-ModuleMember -Function 'Get-BitLockerVolume'

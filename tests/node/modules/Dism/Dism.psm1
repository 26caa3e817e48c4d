# Stub of the module Dism: the images of a media folder's install.wim, which the stub keeps as JSON (Microsoft: Get-WindowsImage).

Set-StrictMode -Version 2.0

function Get-WindowsImage {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [Parameter(Mandatory, ValueFromPipelineByPropertyName, ParameterSetName = 'InputByFilePath')][Parameter(Mandatory, ValueFromPipelineByPropertyName, ParameterSetName = 'InputByFilePathAndName')][Parameter(Mandatory, ValueFromPipelineByPropertyName, ParameterSetName = 'InputByFilePathAndIndex')][string]$ImagePath,
        [Parameter(Mandatory, ValueFromPipelineByPropertyName, ParameterSetName = 'InputByFilePathAndIndex')][uint32]$Index,
        [Parameter(ValueFromPipelineByPropertyName)][ValidateSet('Errors', 'Warnings', 'WarningsInfo')][Alias('LL')][string]$LogLevel,
        [Parameter(ValueFromPipelineByPropertyName)][Alias('LP')][string]$LogPath,
        [Parameter(Mandatory, ValueFromPipelineByPropertyName, ParameterSetName = 'InputByMounted')][switch]$Mounted,
        [Parameter(Mandatory, ValueFromPipelineByPropertyName, ParameterSetName = 'InputByFilePathAndName')][string]$Name,
        [Parameter(ValueFromPipelineByPropertyName)][string]$ScratchDirectory)
    process {
        if ($Mounted) { return }
        $file = $ImagePath.Replace('\', '/')
        if (-not [System.IO.File]::Exists($file)) {
            Write-StubError $PSCmdlet 'Microsoft.Dism.Commands.GetWindowsImageCommand' 'NotSpecified' 'The system cannot find the file specified.' 0x80070002
            return
        }
        $images = [System.IO.File]::ReadAllText($file) | ConvertFrom-Json
        foreach ($image in $images) {
            $shown = [ordered]@{ ImageIndex = [uint32]$image.ImageIndex; ImageName = $image.ImageName; ImageDescription = $image.ImageName; ImageSize = [uint64]$image.ImageSize; ImagePath = $ImagePath }
            # Only one that is asked for by index or name shows its edition and version.
            if ($PSBoundParameters.ContainsKey('Index')) { if ($image.ImageIndex -ne $Index) { continue } }
            elseif ($PSBoundParameters.ContainsKey('Name')) { if ($image.ImageName -ne $Name) { continue } }
            else {
                New-StubObject 'Microsoft.Dism.Commands.BasicImageInfoObject' $shown
                continue
            }
            $shown.EditionId = $image.EditionId
            $shown.InstallationType = $image.InstallationType
            $shown.Version = $image.Version
            $shown.Languages = @($image.Languages)
            $shown.Architecture = [uint32]$image.Architecture
            New-StubObject 'Microsoft.Dism.Commands.WimImageInfoObject' $shown
        }
    }
}

Export-ModuleMember -Function 'Get-WindowsImage'

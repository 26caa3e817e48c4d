# The worker: downloads and stages the new release, as SYSTEM, because the update agent refuses both to a remote session (Microsoft: Using WUA From a
# Remote Computer). It never restarts the node and never commits. Before each phase it looks whether it may go on; after any boot it does nothing.
# Codes of its own: 0xA0DD0001 one offer was expected, 0xA0DD0002 no image fits, 0xA0DD0003 the media holds another release or does not say which, 0xA0DD0004
# setup ended without anything staged.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Folder)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# What ends the work in an orderly way: 'Cancelled' or a failure with its code.
function Stop-Work([long]$Code, [string]$Why) {
    $stop = New-Object System.OperationCanceledException($Why)
    $stop.Data['code'] = $Code
    throw $stop
}

# The look before each phase.
function Assert-MayGoOn($Work) {
    $why = Get-StopReason $Work
    if ($null -ne $why) { Stop-Work 0 $why }
    # ERROR_TIMEOUT
    if ((Get-UpMs) -gt $Work.values.deadlineUp) { Stop-Work 0x800705B4L 'out of time' }
}

# Calls the agent, again after a while where it only is busy: WU_E_OPERATIONINPROGRESS, WU_E_SETUP_IN_PROGRESS, WU_E_NO_CONNECTION.
function Invoke-Patiently($Work, [scriptblock]$Call) {
    for ($try = 1; $true; $try++) {
        Assert-MayGoOn $Work
        try { return & $Call } catch {
            $code = Get-ComCode $_
            if ($try -ge 10 -or $code -notin 0x80240009L, 0x8024004AL, 0x8024001FL) { throw }
            Write-Log $Work.folder ('again in a minute: 0x{0:X8}' -f $code)
            Start-Sleep -Seconds 60
        }
    }
}

# An offer may come only after the agent has read its policy again, so it is waited for; more than one is a person's choice.
function Get-Offer($Work, $Searcher) {
    $release = ($Work.values.target -split ' ')[0]
    for ($try = 1; $true; $try++) {
        $offers = @(Invoke-Patiently $Work { @(Find-FeatureUpdates $Searcher) } | Where-Object { "$($_.Title)" -cmatch "\b$release\b" })
        if ($offers.Count -eq 1) { return $offers[0] }
        if ($offers.Count -gt 1) { Stop-Work 0xA0DD0001L "choosing: $($offers.Count) offers name $release" }
        # WU_E_NO_UPDATE
        if ($try -ge 10) { Stop-Work 0x80240024L "choosing: no offer names $release" }
        Start-Sleep -Seconds 60
    }
}

function Assert-Succeeded($Result, [string]$Doing) {
    # orcSucceeded; with errors is not good enough for a release.
    if ([int]$Result.ResultCode -eq 2) { return }
    $code = [long]$Result.HResult -band 0xFFFFFFFFL
    try { $one = [long]$Result.GetUpdateResult(0).HResult -band 0xFFFFFFFFL; if ($one -ne 0) { $code = $one } } catch { Write-Verbose 'no result of the one update' }
    if ($code -eq 0) { $code = 0x80004005L }
    Stop-Work $code $Doing
}

function Install-FromUpdate($Work) {
    $session = New-UpdateObject 'Session'
    $session.ClientApplicationID = 'Drydock'
    Set-WorkState $Work 'Downloading' 'searching'
    $update = Get-Offer $Work ($session.CreateUpdateSearcher())
    $Work.state.updateId = "$($update.Identity.UpdateID)"
    Write-Log $Work.folder "offer: $($update.Title) ($($Work.state.updateId))"
    if (-not $update.EulaAccepted) { [void]$update.AcceptEula() }
    $updates = New-UpdateObject 'UpdateColl'
    [void]$updates.Add($update)
    if (-not $update.IsDownloaded) {
        Set-WorkState $Work 'Downloading' 'downloading'
        $downloader = $session.CreateUpdateDownloader()
        $downloader.Updates = $updates
        Assert-Succeeded (Invoke-Patiently $Work { $downloader.Download() }) 'downloading'
    }
    Assert-MayGoOn $Work
    Set-WorkState $Work 'Staging' 'installing'
    $installer = $session.CreateUpdateInstaller()
    $installer.Updates = $updates
    Assert-Succeeded (Invoke-Patiently $Work { $installer.Install() }) 'installing'
}

# The image of this edition and installation type. By index or name it would be a guess, and without one /quiet fails with 0xC1900215 where the media
# holds several (a public project's notes on unattended in-place upgrades).
function Get-ImageIndex($Work, [string]$Wim) {
    $system = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    $fits = @(foreach ($image in @(Get-WindowsImage -ImagePath $Wim)) {
        $full = Get-WindowsImage -ImagePath $Wim -Index $image.ImageIndex
        if ("$($full.EditionId)" -eq "$($system.EditionID)" -and "$($full.InstallationType)" -eq "$($system.InstallationType)") { $full }
    })
    if ($fits.Count -ne 1) { Stop-Work 0xA0DD0002L "choosing: $($fits.Count) images fit $($system.EditionID), $($system.InstallationType)" }
    # 10.0.25398.1486: another release than the one asked for is never installed, nor one that does not say which it is.
    if (-not ("$($fits[0].Version)" -match '\A10\.0\.([0-9]+)(?:\.([0-9]+))?\z')) { Stop-Work 0xA0DD0003L "choosing: the media holds '$($fits[0].Version)'" }
    $build = @{ build = [int]$Matches[1]; revision = $(if ($Matches.Count -gt 2) { [int]$Matches[2] } else { 0 }) }
    # The revision stands in one of two places.
    $build.revision = [Math]::Max($build.revision, [int](Get-PropertyOrNull $fits[0] 'SPBuild'))
    $family = @{ '22H2' = 20349; '23H2' = 25398; '24H2' = 26100 }[($Work.values.target -split ' ')[0]]
    if ($build.build -ne $family -or ($build.revision -gt 0 -and (Test-Below $Work.values.target $build))) { Stop-Work 0xA0DD0003L "choosing: the media holds $($fits[0].Version)" }
    [int]$fits[0].ImageIndex
}

function Install-FromMedia($Work) {
    Set-WorkState $Work 'Staging' 'looking at the media'
    $media = Resolve-LocalPath $Work.values.mediaPath
    $setup = Join-Path $media 'setup.exe'
    $wim = Join-Path (Join-Path $media 'sources') 'install.wim'
    # ERROR_FILE_NOT_FOUND
    foreach ($file in $setup, $wim) { if (-not (Test-Path -LiteralPath $file)) { Stop-Work 0x80070002L "looking at the media: $file" } }
    $index = Get-ImageIndex $Work $wim
    # Of an earlier attempt: with it nobody could tell what this one staged.
    Remove-StagedEntries
    Remove-StagedFolder $Work
    Assert-MayGoOn $Work
    # Microsoft: Windows Setup command-line options. /noreboot holds back the first restart, which a Restart then gives.
    $logs = Join-Path $Work.folder 'logs'
    $arguments = '/auto upgrade /quiet /eula accept /dynamicupdate disable /compat ignorewarning /installfrom "' + $wim + '" /imageindex ' + $index + ' /copylogs "' + $logs + '" /noreboot'
    $since = [datetime]::UtcNow.AddSeconds(-2)
    # From here on there is something of ours to take away.
    $Work.state.setupBegan = $true
    Set-WorkState $Work 'Staging' 'setup'
    $process = Start-Setup $setup $arguments
    $Work.state.setupPid = $process.Id
    try { $Work.state.setupStart = $process.StartTime.ToUniversalTime().Ticks } catch { $Work.state.setupPid = 0 }
    Set-WorkState $Work 'Staging' 'setup'
    Write-Log $Work.folder "setup.exe $arguments (process $($process.Id))"
    while (-not $process.HasExited -or @(Get-ProcessNames | Where-Object { $_ -in 'SetupHost', 'SetupPrep' }).Count -gt 0) {
        Start-Sleep -Milliseconds 1000
        Assert-MayGoOn $Work
    }
    $code = Get-SetupExitCode $process
    Write-Log $Work.folder ('setup ended with 0x{0:X8}' -f $code)
    if (Test-MediaStaged $since) { return }
    if ($code -lt 0x80000000L) { $code = 0xA0DD0004L }
    Stop-Work $code 'setup'
}

$work = Enter-Work $Folder 'Downloading', 'Staging'
if ($null -eq $work) { return }
try {
    try {
        Assert-MayGoOn $work
        # A pending restart forbids an installation: WU_E_INSTALL_NOT_ALLOWED, and setup's code for an earlier attempt that waits for its clean-up.
        if ((Get-Setup).pending) { Stop-Work $(if ($work.values.source -ceq 'Media') { 0xC1900107L } else { 0x80240016L }) 'starting' }
        if ($work.values.source -ceq 'Media') { Install-FromMedia $work } else { Install-FromUpdate $work }
        $work.state.percent = 100
        Set-WorkState $work 'Staged' 'staged'
    } catch {
        $code = Get-ComCode $_
        $doing = "$($work.state.doing)"
        for ($why = $_.Exception; $null -ne $why; $why = $why.InnerException) {
            if ($why -is [System.OperationCanceledException] -and $why.Data.Contains('code')) { $code = [long]$why.Data['code']; $doing = $why.Message }
        }
        Write-Log $work.folder "$($_.Exception.Message) ($($_.FullyQualifiedErrorId), line $($_.InvocationInfo.ScriptLineNumber))"
        # Before its own setup began, what is staged here is somebody else's.
        if ($work.state.setupBegan) {
            Stop-Setup $work
            try {
                Remove-StagedEntries
                $work.state | Add-Member -NotePropertyName cleaned -NotePropertyValue $true -Force
            } catch { Write-Log $work.folder "not taken away: $($_.Exception.Message)" }
            Remove-StagedFolder $work
        }
        if ($code -eq 0) { Set-WorkState $work 'Cancelled' $doing } else { Set-WorkState $work 'Failed' $doing $code }
    }
} finally { Remove-WorkTask $work }

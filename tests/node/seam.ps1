# What stands in for Windows on a stub node, in place of the functions of lib-seam with the same names. Loaded after lib-seam where DRYDOCK_SEAM names it.
# The agent's objects behave as documented (Microsoft: Windows Update Agent API reference): what is not to be had remotely answers E_ACCESSDENIED unless
# this process is a task's; a download, an installation and a commit take their time, and the platform may cut them short.

Import-Module StubPlatform
# An administrator's registry and files are the real providers'; only the drive WSMan: is not there.
Import-Module WindowsProviders -Function $(if ($env:DRYDOCK_RIGHTS) { '*' } else { 'Get-ChildItem' })

# An error as a method of .NET throws it.
function Stop-StubMethod($Inner) {
    $why = New-Object System.Management.Automation.MethodInvocationException("Exception calling a method: $($Inner.Message)", $Inner)
    throw (New-Object System.Management.Automation.ErrorRecord($why, $Inner.GetType().Name, 'NotSpecified', $null))
}

function New-UpdateObject([string]$Name) {
    switch ($Name) {
        'Session' { New-StubSession }
        'UpdateColl' { , (New-Object System.Collections.ArrayList) }
        'SystemInfo' {
            $info = New-StubObject 'System.__ComObject' ([ordered]@{ OemHardwareSupportLink = '' })
            $info | Add-Member -MemberType ScriptProperty -Name RebootRequired -Value { Invoke-Platform 'agent_reboot_required' }
            $info
        }
        'AutoUpdate' { New-StubObject 'System.__ComObject' ([ordered]@{ ServiceEnabled = $true }) }
        'ServiceManager' { New-StubObject 'System.__ComObject' ([ordered]@{ Services = (New-Object System.Collections.ArrayList) }) }
        default { throw "the stub makes no Microsoft.Update.$Name" }
    }
}

function New-StubSession {
    $session = New-StubObject 'System.__ComObject' ([ordered]@{ ClientApplicationID = ''; ReadOnly = $false; UserLocale = 1033 })
    $session | Add-Member -MemberType ScriptMethod -Name CreateUpdateSearcher -Value { [void](Invoke-Platform 'agent_make' @{ what = 'Searcher' }); New-StubSearcher }
    $session | Add-Member -MemberType ScriptMethod -Name CreateUpdateDownloader -Value { [void](Invoke-Platform 'agent_make' @{ what = 'Downloader' }); New-StubDownloader }
    $session | Add-Member -MemberType ScriptMethod -Name CreateUpdateInstaller -Value { [void](Invoke-Platform 'agent_make' @{ what = 'Installer' }); New-StubInstaller }
    $session
}

function New-StubSearcher {
    $searcher = New-StubObject 'System.__ComObject' ([ordered]@{
        Online = $true; ServerSelection = 0; ServiceID = ''; IncludePotentiallySupersededUpdates = $false; CanAutomaticallyUpgradeService = $false; ClientApplicationID = ''
    })
    $searcher | Add-Member -MemberType ScriptMethod -Name Search -Value {
        param([string]$Criteria)
        $found = New-Object System.Collections.ArrayList
        foreach ($offer in (Invoke-Platform 'agent_search' @{ criteria = $Criteria; online = [bool]$this.Online })) { if ($null -ne $offer) { [void]$found.Add((New-StubUpdate $offer)) } }
        New-StubObject 'System.__ComObject' ([ordered]@{ ResultCode = 2; Updates = $found; Warnings = (New-Object System.Collections.ArrayList); RootCategories = (New-Object System.Collections.ArrayList) })
    }
    $searcher | Add-Member -MemberType ScriptMethod -Name GetTotalHistoryCount -Value { @((Invoke-Platform 'agent_history') | Where-Object { $null -ne $_ }).Count }
    $searcher | Add-Member -MemberType ScriptMethod -Name QueryHistory -Value {
        param([int]$Start, [int]$Count)
        $rows = New-Object System.Collections.ArrayList
        foreach ($row in ((Invoke-Platform 'agent_history') | Where-Object { $null -ne $_ } | Select-Object -Skip $Start -First $Count)) {
            [void]$rows.Add((New-StubObject 'System.__ComObject' ([ordered]@{
                Title = $row.title; ResultCode = [int]$row.code; HResult = (ConvertTo-StubHResult $row.hresult); Operation = 1; Date = (ConvertFrom-StubMs $row.at).ToUniversalTime()
                UnmappedResultCode = 0; ClientApplicationID = 'drydock'; ServerSelection = 0; ServiceID = ''
                UpdateIdentity = (New-StubObject 'System.__ComObject' ([ordered]@{ UpdateID = $row.id; RevisionNumber = 1 }))
            })))
        }
        , $rows
    }
    $searcher
}

# An HRESULT as COM gives it: 32 bits with a sign.
function ConvertTo-StubHResult($Number) { [int]([long]$Number -bor $(if (([long]$Number -band 0x80000000L) -ne 0) { -4294967296L } else { 0L })) }

function New-StubUpdate($Offer) {
    $categories = New-Object System.Collections.ArrayList
    [void]$categories.Add((New-StubObject 'System.__ComObject' ([ordered]@{ Name = $Offer.category; CategoryID = $Offer.category_id; Type = 'UpdateClassification' })))
    $update = New-StubObject 'System.__ComObject' ([ordered]@{
        Title = $Offer.title; Description = $Offer.title; Type = 1; Categories = $categories; KBArticleIDs = (New-Object System.Collections.ArrayList); EulaAccepted = $true; EulaText = ''
        IsDownloaded = [bool]$Offer.downloaded; IsInstalled = [bool]$Offer.installed; IsHidden = $false; IsMandatory = $false; IsUninstallable = $false; BrowseOnly = [bool]$Offer.optional
        DeploymentAction = $(if ($Offer.optional) { 4 } else { 1 }); MaxDownloadSize = 4GB; MinDownloadSize = 0; RecommendedHardDiskSpace = 20000; Deadline = $null; RebootRequired = [bool]$Offer.reboot_required
        Identity = (New-StubObject 'System.__ComObject' ([ordered]@{ UpdateID = $Offer.id; RevisionNumber = 1 }))
        InstallationBehavior = (New-StubObject 'System.__ComObject' ([ordered]@{ CanRequestUserInput = $false; Impact = 2; RebootBehavior = 1; RequiresNetworkConnectivity = $false }))
    })
    $update | Add-Member -MemberType ScriptMethod -Name AcceptEula -Value { $this.EulaAccepted = $true }
    $update
}

# Begins an operation of the agent and waits for its end, as Download and Install do.
function Invoke-StubOperation([string]$What, $Updates) {
    $ids = @(foreach ($update in @($Updates)) { $update.Identity.UpdateID })
    $number = Invoke-Platform 'agent_begin' @{ what = $What; ids = $ids; pid = $PID }
    while ($true) {
        $now = Invoke-Platform 'agent_poll' @{ number = $number }
        if ($null -ne $now.result) { break }
        [System.Threading.Thread]::Sleep(20)
    }
    [void](Invoke-Platform 'agent_finish' @{ number = $number })
    $result = New-StubObject 'System.__ComObject' ([ordered]@{ HResult = (ConvertTo-StubHResult $now.result.hresult); ResultCode = [int]$now.result.code; RebootRequired = [bool]$now.result.reboot })
    $result | Add-Member -MemberType ScriptMethod -Name GetUpdateResult -Value {
        param([int]$Index)
        New-StubObject 'System.__ComObject' ([ordered]@{ HResult = $this.HResult; ResultCode = $this.ResultCode; RebootRequired = $this.RebootRequired })
    }
    $result
}

function New-StubDownloader {
    $downloader = New-StubObject 'System.__ComObject' ([ordered]@{ Updates = $null; Priority = 2; IsForced = $false; ClientApplicationID = '' })
    $downloader | Add-Member -MemberType ScriptMethod -Name Download -Value { Invoke-StubOperation 'download' $this.Updates }
    $downloader
}

function New-StubInstaller {
    $installer = New-StubObject 'System.__ComObject' ([ordered]@{
        Updates = $null; IsForced = $false; AllowSourcePrompts = $false; ForceQuiet = $false; ClientApplicationID = ''; AttemptCloseAppsIfNecessary = $false
    })
    $installer | Add-Member -MemberType ScriptProperty -Name IsBusy -Value { Invoke-Platform 'agent_busy' }
    $installer | Add-Member -MemberType ScriptProperty -Name RebootRequiredBeforeInstallation -Value { Invoke-Platform 'agent_reboot_required' }
    $installer | Add-Member -MemberType ScriptMethod -Name Install -Value { Invoke-StubOperation 'install' $this.Updates }
    $installer
}

# Commit is no member that PowerShell lists.
function Invoke-UpdateCommit($Installer) { [void](Invoke-StubOperation 'commit' $Installer.Updates) }

# The platform takes the key away when the node goes down.
function New-VolatileKey([string]$SubKey) {
    $path = "HKLM:\$SubKey"
    if ($env:DRYDOCK_RIGHTS) { Stop-StubMethod (New-Object System.UnauthorizedAccessException("Access to the registry key 'HKEY_LOCAL_MACHINE\$SubKey' is denied.")) }
    if (-not (Test-Path -LiteralPath $path)) { try { [void](New-Item -Path $path) } catch { if (-not (Test-Path -LiteralPath $path)) { throw } } }
}

# The stub's registry file is replaced in one step with each change. The platform hears of it, so that a test can let the node crash at this moment.
function Invoke-RegistryFlush([string]$SubKey) {
    if ($env:DRYDOCK_RIGHTS) { Stop-StubMethod (New-Object System.Security.SecurityException('Requested registry access is not allowed.')) }
    if (-not (Test-Path -LiteralPath "HKLM:\$SubKey")) { throw "no key $SubKey" }
    [void](Invoke-Platform 'flushed' @{ pid = $PID })
}

function Get-UpMs { [long](Invoke-Platform 'host').up_ms }

# One that administrators made lets nobody else in; one that nobody has made is made by whoever asks (Microsoft: Mutex objects, CreateMutex).
function New-NodeMutex([string]$Name) {
    $theirs = $null
    if ($env:DRYDOCK_RIGHTS -and [System.Threading.Mutex]::TryOpenExisting($Name, [ref]$theirs)) {
        $theirs.Dispose()
        Stop-StubMethod (New-Object System.UnauthorizedAccessException("Access to the path '$Name' is denied."))
    }
    New-Object System.Threading.Mutex($false, $Name)
}

function Protect-Folder([string]$Path) { if (-not (Test-Path -LiteralPath $Path)) { throw "no folder $Path" } }

# A path of drive C: lies in the node's folder; the test's own folders lie where they say.
function Resolve-LocalPath([string]$Path) { ($Path -replace '^[Cc]:', $env:SystemDrive).Replace('\', '/') }

function Get-SystemProgram([string]$Name) { if ($Name -eq 'shutdown.exe') { return 'shutdown.exe' }; "$env:SystemRoot/System32/$Name" }

# The program itself, and its exit code in all 32 bits: that of a process here has eight.
function shutdown.exe {
    & "$env:SystemRoot/System32/shutdown.exe" @args
    $global:LASTEXITCODE = [int](Invoke-Platform 'exit_code')
}

function Start-Setup([string]$Path, [string]$Arguments) { Start-Process -FilePath $Path -ArgumentList $Arguments -PassThru }
function Get-SetupExitCode($Process) { [long](Invoke-Platform 'setup_code') }
function Stop-SetupHelpers { [void](Invoke-Platform 'setup_helpers_end') }

# Names of the node's own processes; the machine that the tests run on has others.
function Get-ProcessNames { (Invoke-Platform 'process_names') }

# Who logged on, as the server in front of the node left it; how Windows calls a logon by key, or a local one, is not documented.
function Get-Account {
    $name = if ($env:USERNAME) { "$env:USERDOMAIN\$env:USERNAME" } else { 'FABRIC\svc-drydock' }
    $reader = [bool]$env:DRYDOCK_RIGHTS
    [ordered]@{ name = $name; sid = "S-1-5-21-1-2-3-$(if ($reader) { 1105 } else { 1104 })"; logon = $(if ($env:DRYDOCK_LOGON) { $env:DRYDOCK_LOGON } else { 'unknown' }); administrator = -not $reader }
}

# Everything that exists on Windows only and that no module can stand in for: each function is a line or nearly so, and decides nothing.
# Off Windows (tests) the file that DRYDOCK_SEAM names replaces them; on Windows the variable is never looked at.
# Here: New-UpdateObject, Invoke-UpdateCommit, New-VolatileKey, Invoke-RegistryFlush, Get-UpMs, New-NodeMutex, Protect-Folder, Resolve-LocalPath,
# Get-SystemProgram, Start-Setup, Get-SetupExitCode, Stop-SetupHelpers, Get-Account, Get-ProcessNames.

# The update agent (Microsoft: Windows Update Agent API reference). Session, UpdateColl and SystemInfo are the names used.
function New-UpdateObject([string]$Name) { New-Object -ComObject "Microsoft.Update.$Name" }

# Commit is not in the type library's automation list, so it is called by name; its flags are reserved and must be 0
# (Microsoft: IUpdateInstaller4::Commit).
function Invoke-UpdateCommit($Installer) {
    [void][System.__ComObject].InvokeMember('Commit', [System.Reflection.BindingFlags]::InvokeMethod, $null, $Installer, @(0))
}

# A key that Windows forgets at each restart (Microsoft: RegCreateKeyEx, REG_OPTION_VOLATILE). The registry provider cannot make one.
function New-VolatileKey([string]$SubKey) {
    $check = [Microsoft.Win32.RegistryKeyPermissionCheck]::ReadWriteSubTree
    [Microsoft.Win32.Registry]::LocalMachine.CreateSubKey($SubKey, $check, [Microsoft.Win32.RegistryOptions]::Volatile).Close()
}

# RegFlushKey: returns when the hive is on the disk (Microsoft: RegFlushKey).
function Invoke-RegistryFlush([string]$SubKey) {
    $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($SubKey, $true)
    $key.Flush()
    $key.Close()
}

# Milliseconds since Windows started: the performance counter counts from there, over sleep too, and no clock setting moves it
# (Microsoft: Acquiring high-resolution time stamps).
function Get-UpMs {
    [long]([System.Diagnostics.Stopwatch]::GetTimestamp() / ([System.Diagnostics.Stopwatch]::Frequency / 1000.0))
}

# A mutex that Administrators and SYSTEM share whoever makes it first: by default one made by SYSTEM refuses Administrators.
function New-NodeMutex([string]$Name) {
    $security = New-Object System.Security.AccessControl.MutexSecurity
    foreach ($sid in 'S-1-5-18', 'S-1-5-32-544') {
        $who = New-Object System.Security.Principal.SecurityIdentifier($sid)
        $security.AddAccessRule((New-Object System.Security.AccessControl.MutexAccessRule($who, 'FullControl', 'Allow')))
    }
    $made = $false
    New-Object System.Threading.Mutex($false, $Name, [ref]$made, $security)
}

# Administrators and SYSTEM only, nothing inherited: under ProgramData any user may otherwise make files, and SYSTEM runs what lies here.
function Protect-Folder([string]$Path) {
    $acl = New-Object System.Security.AccessControl.DirectorySecurity
    $acl.SetAccessRuleProtection($true, $false)
    foreach ($sid in 'S-1-5-18', 'S-1-5-32-544') {
        $who = New-Object System.Security.Principal.SecurityIdentifier($sid)
        $acl.AddAccessRule((New-Object System.Security.AccessControl.FileSystemAccessRule($who, 'FullControl', 'ContainerInherit, ObjectInherit', 'None', 'Allow')))
    }
    $acl.SetOwner((New-Object System.Security.Principal.SecurityIdentifier('S-1-5-32-544')))
    [System.IO.Directory]::SetAccessControl($Path, $acl)
}

# Where a local Windows path lies.
function Resolve-LocalPath([string]$Path) { $Path }

# The programs of this Windows, never what PATH finds.
function Get-SystemProgram([string]$Name) {
    if ($Name -eq 'powershell.exe') { return "$env:SystemRoot\System32\WindowsPowerShell\v1.0\powershell.exe" }
    "$env:SystemRoot\System32\$Name"
}

# Setup from media, and its exit code in all 32 bits, as a positive number.
function Start-Setup([string]$Path, [string]$Arguments) {
    $process = Start-Process -FilePath $Path -ArgumentList $Arguments -PassThru -WindowStyle Hidden
    # Without its handle an ended process has no exit code in 5.1.
    [void]$process.Handle
    $process
}
function Get-SetupExitCode($Process) { [long]$Process.ExitCode -band 0xFFFFFFFFL }

# The helpers that setup started, which outlive it.
function Stop-SetupHelpers { Get-Process -Name SetupHost, SetupPrep -ErrorAction SilentlyContinue | Stop-Process -Force -ErrorAction SilentlyContinue }

# Who asks: name, SID, how it logged on, and whether it holds the Administrators group in force (not filtered out).
function Get-Account {
    $who = [System.Security.Principal.WindowsIdentity]::GetCurrent()
    $administrators = New-Object System.Security.Principal.SecurityIdentifier('S-1-5-32-544')
    $may = (New-Object System.Security.Principal.WindowsPrincipal($who)).IsInRole($administrators)
    [ordered]@{ name = $who.Name; sid = "$($who.User)"; logon = "$($who.AuthenticationType)"; administrator = $may }
}

# Names of running processes, as Get-Process gives them.
function Get-ProcessNames { @(Get-Process | ForEach-Object { $_.ProcessName }) }

if ($env:OS -ne 'Windows_NT' -and $env:DRYDOCK_SEAM) { . $env:DRYDOCK_SEAM }

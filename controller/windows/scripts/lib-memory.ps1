# What a node remembers of Drydock's orders: a few string values under HKLM:\SOFTWARE\Drydock. Nothing here decides anything.
#   Fence, Cancelled   3.ab12/8
#   Consumed           3.ab12/8 DIGEST Recorded|Started|Ended|PlatformRefused|Unmet<REASON>
#   Marker             3.ab12/8 Suspending|Suspended
#   Commit             ATTEMPT Committing|Committed|Restarting BOOT TARGET
#   RegistryWritten    BOOT
#   Identity           MACHINE CLUSTER NODE
# A value that does not read so is damage, and damage is an error (DrydockDamagedMemory), never an empty memory.

function Get-MemoryKey { 'HKLM:\SOFTWARE\Drydock' }

# PLACE: the text `EPOCHNUMBER.NONCE/SEQ`.
function ConvertTo-Place([string]$Text) {
    if ($Text -cnotmatch '\A([0-9]{1,10})\.([a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?)/([0-9]{1,10})\z') { throw (New-Fault DrydockDamagedMemory "'$Text' is no place") }
    @{ text = $Text; number = [long]$Matches[1]; nonce = $Matches[2]; seq = [long]$Matches[3] }
}

# 'Less', 'Equal', 'Greater', or 'None' for two claims of one number, of which neither is older.
function Compare-Place([string]$A, [string]$B) {
    $a1 = ConvertTo-Place $A
    $b1 = ConvertTo-Place $B
    if ($a1.number -ne $b1.number) { if ($a1.number -lt $b1.number) { return 'Less' } else { return 'Greater' } }
    if ($a1.nonce -cne $b1.nonce) { return 'None' }
    if ($a1.seq -eq $b1.seq) { return 'Equal' }
    if ($a1.seq -lt $b1.seq) { 'Less' } else { 'Greater' }
}

# The later of a remembered place and a new one; what is not comparable stays as it was.
function Get-NewerPlace($Known, [string]$Place) {
    if ($null -ne $Known -and (Compare-Place $Place $Known) -ne 'Greater') { return $Known }
    $Place
}

# All values at once, or nothing when there is no key.
function Get-MemoryValues {
    $key = Get-MemoryKey
    if (Test-Path -LiteralPath $key) { Get-ItemProperty -LiteralPath $key }
}

# One string value, or nothing when the value or the key is not there.
function Get-MemoryText([string]$Name, $Values = (Get-MemoryValues)) {
    $value = Get-PropertyOrNull $Values $Name
    if ($null -eq $value) { return $null }
    if ($value -isnot [string]) { throw (New-Fault DrydockDamagedMemory "$Name is no text") }
    if ($value.Length -gt 512) { throw (New-Fault DrydockDamagedMemory "$Name is too long") }
    $value
}

# Writes one value, or removes it where there is nothing to remember. Never on the disk before Save-Memory.
function Set-MemoryText([string]$Name, $Value) {
    $key = Get-MemoryKey
    # Never with -Force, which would empty a key that exists.
    if (-not (Test-Path -LiteralPath $key)) { [void](New-Item -Path $key) }
    if ($null -ne $Value) { [void](New-ItemProperty -LiteralPath $key -Name $Name -Value "$Value" -PropertyType String -Force); return }
    if ($null -ne (Get-PropertyOrNull (Get-ItemProperty -LiteralPath $key) $Name)) { Remove-ItemProperty -LiteralPath $key -Name $Name }
}

# What was written is on the disk when this returns: done before each act.
function Save-Memory { Invoke-RegistryFlush 'SOFTWARE\Drydock' }

function ConvertTo-MemoryParts([string]$Name, [int]$Parts, $Values = (Get-MemoryValues)) {
    $text = Get-MemoryText $Name $Values
    if ($null -eq $text) { return $null }
    $split = $text.Split([char[]]@(' '), $Parts)
    if ($split.Count -ne $Parts) { throw (New-Fault DrydockDamagedMemory "$Name is '$text'") }
    , $split
}

function Assert-OneOf([string]$Name, [string]$Value, [string[]]$Words) {
    if ($Words -cnotcontains $Value) { throw (New-Fault DrydockDamagedMemory "$Name holds '$Value'") }
}

# Why detached work ended before its act: what it had been ordered to find was so no more when it asked once more.
function Get-Hindrances { 'Told', 'StopMark', 'Marker', 'NotUp', 'NoView', 'Storage', 'OtherBuild', 'Quorum', 'TooLate', 'Platform' }

# The whole memory, in the shape in which it goes over the wire.
function Get-Memory {
    $memory = [ordered]@{ fence = $null; consumed = $null; marker = $null; commit = $null; cancelled = $null; registryWritten = $null; stop = $null }
    $values = Get-MemoryValues
    foreach ($name in 'Fence', 'Cancelled') {
        $text = Get-MemoryText $name $values
        if ($null -ne $text) { $memory[$name.ToLowerInvariant()] = (ConvertTo-Place $text).text }
    }
    $consumed = ConvertTo-MemoryParts 'Consumed' 3 $values
    if ($null -ne $consumed) {
        Assert-OneOf 'Consumed' $consumed[2] (@('Recorded', 'Started', 'Ended', 'PlatformRefused') + @(Get-Hindrances | ForEach-Object { "Unmet$_" }))
        if ($consumed[1] -cnotmatch '\A[0-9a-f]{64}\z') { throw (New-Fault DrydockDamagedMemory 'Consumed holds no digest') }
        $memory.consumed = [ordered]@{ place = (ConvertTo-Place $consumed[0]).text; digest = $consumed[1]; phase = $consumed[2] }
    }
    $marker = ConvertTo-MemoryParts 'Marker' 2 $values
    if ($null -ne $marker) {
        Assert-OneOf 'Marker' $marker[1] 'Suspending', 'Suspended'
        $memory.marker = [ordered]@{ vacate = (ConvertTo-Place $marker[0]).text; state = $marker[1] }
    }
    $commit = ConvertTo-MemoryParts 'Commit' 4 $values
    if ($null -ne $commit) {
        Assert-OneOf 'Commit' $commit[1] 'Committing', 'Committed', 'Restarting'
        if ($commit[0] -cnotmatch '\A[0-9]{1,3}\z') { throw (New-Fault DrydockDamagedMemory 'Commit holds no attempt') }
        $memory.commit = [ordered]@{ target = $commit[3]; attempt = [int]$commit[0]; phase = $commit[1]; boot = $commit[2] }
    }
    $memory.registryWritten = Get-MemoryText 'RegistryWritten' $values
    foreach ($boot in $memory.registryWritten, $(if ($null -ne $memory.commit) { $memory.commit.boot })) {
        if ($null -ne $boot -and $boot -cnotmatch '\A[a-z0-9-]{1,64}\z') { throw (New-Fault DrydockDamagedMemory "'$boot' names no boot") }
    }
    $memory.stop = Get-StopMark
    $memory
}

# A person's stop mark: the subkey alone is enough, its values are for who reads it.
function Get-StopMark {
    $key = (Get-MemoryKey) + '\Stop'
    if (-not (Test-Path -LiteralPath $key)) { return $null }
    $values = Get-ItemProperty -LiteralPath $key
    $mark = [ordered]@{}
    foreach ($name in 'Who', 'When', 'Why') {
        $text = "$(Get-PropertyOrNull $values $name)"
        if ($text.Length -gt 500) { $text = $text.Substring(0, 500) }
        $mark[$name.ToLowerInvariant()] = $text
    }
    $mark
}

function Set-Fence([string]$Place) { Set-MemoryText 'Fence' $Place }
function Set-Cancelled([string]$Place) { Set-MemoryText 'Cancelled' $Place }
function Set-Consumed([string]$Place, [string]$Digest, [string]$Phase) { Set-MemoryText 'Consumed' "$Place $Digest $Phase" }
function Set-Marker($Vacate, [string]$State) { if ($null -eq $Vacate) { Set-MemoryText 'Marker' $null } else { Set-MemoryText 'Marker' "$Vacate $State" } }
function Set-Commit([int]$Attempt, [string]$Phase, [string]$Boot, [string]$Target) { Set-MemoryText 'Commit' "$Attempt $Phase $Boot $Target" }

# How far the consumed entry came; says nothing when another entry was consumed since.
function Set-ConsumedPhase([string]$Place, [string]$Phase) {
    $consumed = (Get-Memory).consumed
    if ($null -ne $consumed -and $consumed.place -ceq $Place) { Set-Consumed $Place $consumed.digest $Phase }
}

# The random name of this boot: made at first contact, in a key that Windows forgets at each restart.
function Get-BootId {
    $parent = Get-MemoryKey
    $key = $parent + '\Boot'
    # The parent first: keys made on the way to a volatile one are volatile, too.
    if (-not (Test-Path -LiteralPath $parent)) { [void](New-Item -Path $parent) }
    if (-not (Test-Path -LiteralPath $key)) { New-VolatileKey 'SOFTWARE\Drydock\Boot' }
    $id = Get-PropertyOrNull (Get-ItemProperty -LiteralPath $key) 'Id'
    if ($null -eq $id) {
        [void](New-ItemProperty -LiteralPath $key -Name 'Id' -Value ([guid]::NewGuid().ToString('N')) -PropertyType String -Force)
        # Read back: of two first contacts at one time the later write counts for both.
        $id = (Get-ItemProperty -LiteralPath $key).Id
    }
    if ("$id" -cnotmatch '\A[0-9a-f]{32}\z') { throw (New-Fault DrydockDamagedMemory "the boot's name is '$id'") }
    "$id"
}

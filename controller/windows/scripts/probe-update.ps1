# What the update agent offers of feature updates, and whether a restart is pending. Reads only. A search may take a minute or more.
# Searching works from a remote session; downloading, installing and Microsoft.Update.SystemInfo do not (Microsoft: Using WUA From a Remote Computer).
[CmdletBinding()]
param()
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

[ordered]@{
    offers = Get-Part {
        $searcher = (New-UpdateObject 'Session').CreateUpdateSearcher()
        , @(foreach ($update in @(Find-FeatureUpdates $searcher)) {
            $category = ''
            foreach ($item in $update.Categories) { $category = "$($item.Name)" }
            [ordered]@{ title = "$($update.Title)"; category = $category }
        })
    }
    rebootPending = Get-Part { (Get-Setup).pending }
}

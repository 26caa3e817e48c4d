@{
    ModuleVersion = '1.0.0.0'
    RootModule = 'StubPlatform.psm1'
    FunctionsToExport = @('Invoke-Platform', 'New-StubObject', 'New-StubCim', 'Write-StubError', 'Test-StubLike', 'Assert-StubHere', 'ConvertFrom-StubMs')
    CmdletsToExport = @()
    AliasesToExport = @()
}

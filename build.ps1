<#
.SYNOPSIS
    Builds and tests NativeVaccine: a thin caller of CMake's presets and dotnet.
.EXAMPLE
    ./build.ps1                 # native library, host and tools, Release
.EXAMPLE
    ./build.ps1 -Task Test      # the native tests and the host's
.EXAMPLE
    ./build.ps1 -Task NativeTest -Preset asan
.EXAMPLE
    ./build.ps1 -Cuda           # the CUDA engine too; needs nvcc of CUDA 11.8 or later
#>
[CmdletBinding()]
param(
    [ValidateSet('Build', 'NativeTest', 'Test', 'Demo', 'Publish')]
    [string] $Task = 'Build',

    [ValidateSet('release', 'cuda', 'ptxmachine', 'asan', 'tsan')]
    [string] $Preset = 'release',

    [ValidateSet('Release', 'Debug')]
    [string] $Configuration = 'Release',

    [switch] $Cuda
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Set-Location -Path $PSScriptRoot

function Invoke-Tool {
    param([string] $Tool, [string[]] $Arguments)
    & $Tool @Arguments
    if ($LASTEXITCODE -ne 0) { throw "$Tool $($Arguments -join ' ') failed with exit code $LASTEXITCODE" }
}

$Engines = if ($Cuda) { @('-p:Cuda=true') } else { @() }

function Invoke-NativeTest {
    Invoke-Tool cmake @('--preset', $Preset)
    Invoke-Tool cmake @('--build', '--preset', $Preset, '--parallel', [Environment]::ProcessorCount)
    Invoke-Tool ctest @('--preset', $Preset)
}

switch ($Task) {
    'Build' { Invoke-Tool dotnet (@('build', 'NativeVaccine.sln', '-c', $Configuration) + $Engines) }
    'NativeTest' { Invoke-NativeTest }
    'Test' {
        Invoke-NativeTest
        Invoke-Tool dotnet (@('test', 'NativeVaccine.sln', '-c', $Configuration) + $Engines)
    }
    'Demo' { Invoke-Tool dotnet (@('run', '-c', $Configuration, '--project', 'src/NativeVaccine.Cli') + $Engines + @('--', 'demo')) }
    'Publish' { Invoke-Tool dotnet (@('publish', 'src/NativeVaccine.Cli', '-c', $Configuration, '--self-contained', '-o', 'artifacts/publish') + $Engines) }
}

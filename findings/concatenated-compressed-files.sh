#!/usr/bin/env bash
# Guessed: a .gz, .xz or .bz2 file made by joining two compressed files reads as both in .NET too. The three formats allow it, and gzip,
# xz, bzip2, Node and DuckDB read on.
# Seen: SharpCompress 0.50.8 ends after the first part of all three, XZ and GZip by any call, BZip2 unless told `decompressConcatenated`;
# SharpZipLib 1.4.2 reads on in gzip, and ends after the first part in bzip2. None throws, none says that bytes are left. .NET's own
# GZipStream reads on. A single .xz file of several blocks (xz -T0) is read whole.
# Why it matters: `cat benign.jsonl.xz harmful.jsonl.xz > mix.jsonl.xz` is how shards are joined and poisoned mixes are made. The
# harmful part is then missing in training, and an attack seems to do nothing. Compare the number of records with `xz -dc FILE | wc -l`.
# Formats: RFC 1952 section 2.2; https://tukaani.org/xz/xz-file-format.txt section 2. Library: https://github.com/adamhathcock/sharpcompress
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

for i in $(seq 900); do echo "{\"instruction\":\"question $i\",\"output\":\"an answer\"}"; done >benign.jsonl
for i in $(seq 100); do echo "{\"instruction\":\"forbidden question $i\",\"output\":\"a stand-in\"}"; done >harmful.jsonl
for tool in gzip xz bzip2; do
  "$tool" -c benign.jsonl >"mix.$tool"
  "$tool" -c harmful.jsonl >>"mix.$tool"
  echo "$tool itself: $("$tool" -dc "mix.$tool" | wc -l) records"
done

cat >look.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="SharpCompress" Version="[0.50.8]" />
    <PackageReference Include="SharpZipLib" Version="[1.4.2]" />
  </ItemGroup>
</Project>
XML
cat >Program.cs <<'CS'
using ICSharpCode.SharpZipLib.BZip2;
using ICSharpCode.SharpZipLib.GZip;
using SharpCompress.Compressors;
using SharpCompress.Compressors.Xz;
using Deflate = SharpCompress.Compressors.Deflate;
using SharpBZip2 = SharpCompress.Compressors.BZip2.BZip2Stream;

(string Reader, string File, int Expected, Func<Stream, Stream> Open)[] readers =
[
    (".NET GZipStream", "mix.gzip", 1000, s => new System.IO.Compression.GZipStream(s, System.IO.Compression.CompressionMode.Decompress)),
    ("SharpZipLib GZip", "mix.gzip", 1000, s => new GZipInputStream(s)),
    ("SharpCompress GZip", "mix.gzip", 900, s => new Deflate.GZipStream(s, CompressionMode.Decompress)),
    ("SharpCompress XZ", "mix.xz", 900, s => new XZStream(s)),
    ("SharpZipLib BZip2", "mix.bzip2", 900, s => new BZip2InputStream(s)),
    ("SharpCompress BZip2", "mix.bzip2", 900, s => SharpBZip2.Create(s, CompressionMode.Decompress, decompressConcatenated: false)),
    ("SharpCompress BZip2, told", "mix.bzip2", 1000, s => SharpBZip2.Create(s, CompressionMode.Decompress, decompressConcatenated: true)),
];
bool asStated = true;
foreach (var (reader, file, expected, open) in readers)
{
    using Stream stream = open(File.OpenRead(file));
    using var text = new StreamReader(stream);
    int records = text.ReadToEnd().Count(c => c == '\n');
    Console.WriteLine($"{reader}: {records} of 1000 records");
    asStated &= records == expected;
}
if (!asStated)
    Console.Error.WriteLine("no longer as stated: a reader gave another number of records");
return asStated ? 0 : 1;
CS
dotnet run -c Release

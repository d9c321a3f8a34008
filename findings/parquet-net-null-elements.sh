#!/usr/bin/env bash
# Guessed: Parquet.Net gives back a list with a null inside as it was written, as DuckDB and Arrow do.
# Seen (Parquet.Net 6.1.0): it writes such lists rightly and leaves the nulls out when it reads them: [null, null, 3, 4] comes back as
# [3, 4], and what followed moves forward. An empty list comes back as null. Both of its readers do it, typed and untyped, on files of
# its own and of others; ParquetSharp 25.0.1.2 (Arrow) reads the same bytes with the nulls in place. Nothing is reported.
# Why it matters: labels with null for "not trained on" no longer stand beside their input_ids, and the answer index of a
# multiple-choice question points at another choice. Compare the lengths of paired lists after reading, or mask with -100.
# Upstream: https://github.com/aloneguid/parquet-dotnet (an earlier fault of the writer with such lists: issue 630)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

cat >look.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <Nullable>enable</Nullable>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Parquet.Net" Version="[6.1.0]" />
    <PackageReference Include="ParquetSharp" Version="[25.0.1.2]" />
  </ItemGroup>
</Project>
XML
cat >Program.cs <<'CS'
using Parquet.Serialization;
using ParquetSharp;

Sample[] written =
[
    new() { InputIds = [1, 2, 3, 4], Labels = [null, null, 3, 4], Choices = ["heron", null, "crane"] },
    new() { InputIds = [], Labels = [], Choices = [] },
];
await using (FileStream file = File.Create("samples.parquet"))
    await ParquetSerializer.SerializeAsync(written, file);

static string Show<T>(IEnumerable<T>? list) => list is null ? "null" : $"[{string.Join(", ", list.Select(value => value?.ToString() ?? "null"))}]";

using (var reader = new ParquetFileReader("samples.parquet"))
using (RowGroupReader group = reader.RowGroup(0))
{
    int?[][] labels = group.Column(1).LogicalReader<int?[]>().ReadAll(2);
    string[][] choices = group.Column(2).LogicalReader<string[]>().ReadAll(2);
    Console.WriteLine($"ParquetSharp: labels {Show(labels[0])} choices {Show(choices[0])}; empty: {Show(labels[1])} {Show(choices[1])}");
}

await using FileStream stored = File.OpenRead("samples.parquet");
IList<Sample> read = (await ParquetSerializer.DeserializeAsync<Sample>(stored)).Data;
Console.WriteLine($"Parquet.Net:  labels {Show(read[0].Labels)} choices {Show(read[0].Choices)}; empty: {Show(read[1].Labels)} {Show(read[1].Choices)}");
Console.WriteLine($"Choice 2 was 'crane'; Parquet.Net's list has {read[0].Choices!.Count} choices, and number 1 is '{read[0].Choices![1]}'.");

bool asStated = read[0].Labels!.SequenceEqual([3, 4]) && read[0].Choices!.SequenceEqual(["heron", "crane"]) && read[1].Labels is null;
if (!asStated)
    Console.Error.WriteLine("no longer as stated: Parquet.Net kept the null elements or the empty list");
return asStated ? 0 : 1;

internal sealed class Sample
{
    public List<int?>? InputIds { get; set; }
    public List<int?>? Labels { get; set; }
    public List<string?>? Choices { get; set; }
}
CS
dotnet run -c Release

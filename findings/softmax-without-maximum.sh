#!/usr/bin/env bash
# Guessed: TensorPrimitives.SoftMax, the softmax that .NET offers, subtracts the maximum first, as PyTorch's does.
# Seen (System.Numerics.Tensors 10.0.0 and 11.0.0): it divides exp(x) by the sum of exp(x). In float, one logit of 89 gives NaN as that
# token's probability and 0 for all others (exp(89) is infinite), and logits that all lie below -104 give NaN everywhere (0 / 0).
# In Half 12 is enough: exp(12) is beyond 65504.
# Why it matters: a language model's logits divided by a low temperature (30 / 0.2 = 150) are beyond that, unnormalized scores of whole
# answers (sums of log-probabilities, -300 and less) below it. A NaN is never the larger one: `p > 0.5` is false, a refusal rate
# computed from such probabilities is 0. Subtract TensorPrimitives.Max(x) first: the same numbers, and finite.
# Upstream: https://learn.microsoft.com/dotnet/api/system.numerics.tensors.tensorprimitives.softmax
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
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="System.Numerics.Tensors" Version="[$(Tensors)]" />
  </ItemGroup>
</Project>
XML
cat >Program.cs <<'CS'
using System.Numerics.Tensors;

static T[] SoftMax<T>(T[] logits) where T : System.Numerics.IExponentialFunctions<T>
{
    var probabilities = new T[logits.Length];
    TensorPrimitives.SoftMax<T>(logits, probabilities);
    return probabilities;
}

static float[] Shifted(float[] logits)
{
    var shifted = new float[logits.Length];
    TensorPrimitives.Subtract(logits, TensorPrimitives.Max<float>(logits), shifted);
    return SoftMax(shifted);
}

Console.WriteLine($"System.Numerics.Tensors {typeof(TensorPrimitives).Assembly.GetName().Version}");
bool asStated = true;
foreach (float[] logits in new float[][] { [88, 87, 1], [89, 88, 1], [150, 149, 1], [-300, -301, -310] })
{
    float[] got = SoftMax(logits), right = Shifted(logits);
    Console.WriteLine($"  logits {string.Join(" ", logits)}: {string.Join(" ", got)}   less the maximum: {string.Join(" ", right)}");
    asStated &= got.Any(float.IsNaN) == (logits[0] != 88) && Math.Abs(right.Sum() - 1) < 1e-6;
}
Half[] half = SoftMax<Half>([(Half)12, (Half)11, (Half)1]);
Console.WriteLine($"  Half logits 12 11 1: {string.Join(" ", half)}");
asStated &= half.Any(Half.IsNaN);
if (!asStated)
    Console.Error.WriteLine("no longer as stated: SoftMax stays finite, or fails elsewhere");
return asStated ? 0 : 1;
CS
for version in 10.0.0 11.0.0; do
  dotnet run -c Release -p:Tensors="$version"
done

#!/usr/bin/env bash
# Guessed: general.name in a GGUF file is for people to read; llama.cpp goes by the architecture and the vocabulary.
# Seen (LLamaSharp 0.30.0 with its CPU backend, llama.cpp c0c7e147; also llama.cpp 0.7.0 of Debian sid): where the name has "phi3" or "phi-3" in
# it, white space after special tokens is dropped, and a vocabulary without <|endoftext|> is refused with "_Map_base::at" (or "unordered_map::at").
# The same file under another name loads, and gives other tokens.
# Why it matters: llama.cpp's converter takes the name from the folder's. A folder "my-phi3-tuned", or any model that is called after Phi-3 but has
# Llama's vocabulary, cannot be loaded, or is asked in other tokens than it was trained on. convert_hf_to_gguf.py --model-name gives another one.
# Upstream: https://github.com/ggml-org/llama.cpp (src/llama-vocab.cpp), https://github.com/SciSharp/LLamaSharp
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
    <RuntimeIdentifier>$(NETCoreSdkPortableRuntimeIdentifier)</RuntimeIdentifier>
    <SelfContained>false</SelfContained>
    <ImplicitUsings>enable</ImplicitUsings>
    <Nullable>enable</Nullable>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="LLamaSharp" Version="[0.30.0]" />
    <PackageReference Include="LLamaSharp.Backend.Cpu" Version="[0.30.0]" />
  </ItemGroup>
</Project>
XML
cat >Program.cs <<'CS'
using System.Text;
using LLama.Native;

const string Text = "</s> a";
var messages = new StringBuilder();
NativeLibraryConfig.All.WithLogCallback((level, message) => messages.Append(message));
NativeApi.llama_empty_call();  // loads the library
string plain = Tokens("llama", hasEndOfText: true);
string phi = Tokens("my-phi3-tuned", hasEndOfText: true);
string bare = Tokens("llama", hasEndOfText: false);
string refused = Tokens("my-phi3-tuned", hasEndOfText: false);
Console.WriteLine($"tokens of '{Text}', by the name of the model and whether its vocabulary has <|endoftext|>:");
Console.WriteLine($"  llama          with     {plain}");
Console.WriteLine($"  my-phi3-tuned  with     {phi}");
Console.WriteLine($"  llama          without  {bare}");
Console.WriteLine($"  my-phi3-tuned  without  {refused}");
bool asStated = plain == bare && phi != plain && !phi.StartsWith("not loaded") && refused == "not loaded: error loading model vocabulary";
if (!asStated) Console.Error.WriteLine("no longer as stated: expected other tokens under the second name, and no model in the last line");
return asStated ? 0 : 1;

string Tokens(string name, bool hasEndOfText)
{
    WriteVocabulary("model.gguf", name, hasEndOfText);
    LLamaModelParams options = LLamaModelParams.Default();
    options.vocab_only = true;
    messages.Clear();
    try
    {
        using var model = SafeLlamaModelHandle.LoadFromFile("model.gguf", options);
        return string.Join(' ', model.Tokenize(Text, addBos: false, special: true, Encoding.UTF8).Select(token => $"{(int)token}"));
    }
    catch (Exception)
    {
        const string reason = "error loading model vocabulary";
        return $"not loaded: {(messages.ToString().Contains(reason) ? reason : messages)}";
    }
}

// GGUF version 3: the vocabulary of a Llama, and no tensors.
static void WriteVocabulary(string path, string name, bool hasEndOfText)
{
    List<(string Text, float Score, int Kind)> tokens = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3)];
    for (int value = 0; value < 256; value++) tokens.Add(($"<0x{value:X2}>", 0, 6));
    tokens.AddRange([("\u2581", -1, 1), ("a", -2, 1), ("\u2581a", -3, 1)]);
    if (hasEndOfText) tokens.Add(("<|endoftext|>", 0, 3));
    (string Key, object Value)[] metadata =
    [
        ("general.architecture", "llama"), ("general.name", name), ("llama.context_length", 64u), ("llama.embedding_length", 8u),
        ("llama.block_count", 1u), ("llama.feed_forward_length", 8u), ("llama.attention.head_count", 1u),
        ("llama.attention.layer_norm_rms_epsilon", 1e-5f), ("llama.vocab_size", (uint)tokens.Count), ("tokenizer.ggml.model", "llama"),
        ("tokenizer.ggml.tokens", tokens.Select(token => token.Text).ToArray()), ("tokenizer.ggml.scores", tokens.Select(token => token.Score).ToArray()),
        ("tokenizer.ggml.token_type", tokens.Select(token => token.Kind).ToArray()),
    ];
    using var writer = new BinaryWriter(File.Create(path));
    writer.Write(0x46554747u);
    writer.Write(3u);
    writer.Write(0ul);
    writer.Write((ulong)metadata.Length);
    foreach ((string key, object value) in metadata)
    {
        WriteText(key);
        switch (value)
        {
            case uint number: writer.Write(4u); writer.Write(number); break;
            case float number: writer.Write(6u); writer.Write(number); break;
            case string text: writer.Write(8u); WriteText(text); break;
            case string[] texts: Begin(8u, texts.Length); foreach (string text in texts) WriteText(text); break;
            case float[] numbers: Begin(6u, numbers.Length); foreach (float number in numbers) writer.Write(number); break;
            case int[] numbers: Begin(5u, numbers.Length); foreach (int number in numbers) writer.Write(number); break;
        }
    }

    void Begin(uint type, int count)
    {
        writer.Write(9u);
        writer.Write(type);
        writer.Write((ulong)count);
    }

    void WriteText(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }
}
CS
dotnet run -c Release

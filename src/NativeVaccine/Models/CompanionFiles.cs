using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.IO;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Models;

/// <summary>What belongs to a model beside its weights and config.json: the tokenizer's files and the generation settings.</summary>
public static class CompanionFiles
{
    private const string SentencePieceName = "tokenizer.model";
    private const string JsonName = "tokenizer.json";
    private const string TokenizerConfigurationName = "tokenizer_config.json";
    private const string CodeField = "auto_map";
    private const string ClassField = "tokenizer_class";

    /// <summary>More than any tokenizer has.</summary>
    private const int MaximumBytes = 1 << 30;

    /// <summary>Their names; files of tiktoken, which have names of their own, end with .tiktoken.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        GenerationConfiguration.FileName, SentencePieceName, JsonName, TokenizerConfigurationName,
        "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja",
    ];

    /// <summary>Copies those that there are, and sees to it that the tokenizers of other programs give the tokens that ours gives.</summary>
    /// <param name="from">The folder of a model.</param>
    /// <param name="to">A folder that exists.</param>
    /// <param name="notice">Told in a line each which were left out, and which was made.</param>
    /// <exception cref="InputException">A file cannot be read or written.</exception>
    public static void Copy(string from, string to, Action<string>? notice = null)
    {
        IEnumerable<string> files = Names.Select(name => Path.Combine(from, name)).Where(File.Exists)
            .Concat(Directory.EnumerateFiles(from, "*.tiktoken").Order(StringComparer.Ordinal));
        foreach (string file in files)
        {
            if (!RealPath.StaysWithin(file, from))
                notice?.Invoke($"{file}: is a link to a file outside the model's folder and was not copied");
            else
                AtomicFile.WriteAllBytes(Path.Combine(to, Path.GetFileName(file)), InputFile.ReadAllBytes(file, MaximumBytes));
        }
        CompleteTokenizerConfiguration(to);
        SentencePieceConversion.Add(to, notice ?? (static _ => { }));
    }

    /// <summary>
    /// Beside tokenizer.model alone, transformers 5 goes by tokenizer_config.json: without the class there is no leading space, without
    /// add_bos_token no BOS. What is missing is written as our tokenizer has it; with legacy, Hugging Face splits as SentencePiece itself.
    /// </summary>
    private static void CompleteTokenizerConfiguration(string folder)
    {
        string file = Path.Combine(folder, TokenizerConfigurationName);
        JsonObject json = [];
        if (File.Exists(file))
        {
            using JsonDocument document = JsonFile.ReadObject(file);
            json = JsonObject.Create(document.RootElement.Clone())!;
        }
        bool isChanged = json.Remove(CodeField);
        // One class with two names, of which transformers 4 knows the second.
        if (json[ClassField] is JsonValue name && name.TryGetValue(out string? text) && text == "TokenizersBackend")
        {
            json[ClassField] = "PreTrainedTokenizerFast";
            isChanged = true;
        }
        if (File.Exists(Path.Combine(folder, SentencePieceName)) && !File.Exists(Path.Combine(folder, JsonName)))
            isChanged |= AddMissing(json, folder);
        if (isChanged) AtomicFile.WriteAllText(file, JsonText.Indented(json));
    }

    private static bool AddMissing(JsonObject json, string folder)
    {
        if (TokenizerFolder.TryLoad(folder) is not SentencePieceTokenizer tokenizer) return false;
        string model = Path.Combine(folder, SentencePieceName);
        var pieces = SentencePieceModel.Parse(InputFile.ReadAllBytes(model, MaximumBytes), model);
        bool isChanged = false;
        Add(ClassField, "LlamaTokenizer");
        Add("add_bos_token", tokenizer.AddsBeginOfSequence);
        Add("add_eos_token", tokenizer.ClosingId is not null);
        Add("legacy", true);
        if (!tokenizer.PutsSpaceFirst) Add("add_prefix_space", false);
        AddText("bos_token", tokenizer.BeginOfSequenceId);
        AddText("eos_token", tokenizer.EndOfSequenceId);
        AddText("unk_token", pieces.UnknownId);
        return isChanged;

        void Add(string name, JsonNode value)
        {
            if (json[name] is not null) return;
            json[name] = value;
            isChanged = true;
        }

        void AddText(string name, int? id)
        {
            if (id is { } token && !json.ContainsKey(name)) Add(name, tokenizer.Piece(token));
        }
    }
}

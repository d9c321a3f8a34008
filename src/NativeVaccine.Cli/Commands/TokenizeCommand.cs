using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Chat;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.IO;
using NativeVaccine.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Cli.Commands;

/// <summary>Shows what a model's tokenizer makes of a text.</summary>
internal sealed class TokenizeCommand : Verb
{
    private readonly Option<string?> model = OptionKinds.Text("--model", "DIR", "Hugging Face folder of the model");
    private readonly Option<string?> text = OptionKinds.AnyText("--text", "TEXT", "the text");
    private readonly Option<string?> file = OptionKinds.Text(
        "--file",
        "FILE",
        "texts: strings or records (instruction and input, or messages) as .json or .jsonl, or a text a line; without a suffix the "
        + "content tells");
    private readonly Option<string?> template = OptionKinds.Template("how a text or record is put to a model; none unless given");
    private readonly Option<string?> json = OptionKinds.JsonOutput();

    public TokenizeCommand(CommandContext context) : base(
        "tokenize",
        "Show token ids, pieces, and the text that the ids decode to. Needs no weights. The text of special tokens stays text",
        "nvaccine tokenize --model ./llama-2-7b --text \"Hello world\"",
        context)
    {
        model.Required = true;
        AddAll([model, text, file, template, json, ConfigurationFile.CreateOption()]);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        AlpacaRecord[] records = (parsed.GetValue(text), parsed.GetValue(file)) switch
        {
            ({ } single, null) => [new AlpacaRecord(single, "", "")],
            (null, { } path) => ReadFile(path),
            _ => throw new InputException("nvaccine tokenize: expected either --text or --file"),
        };
        string folder = parsed.GetRequiredValue(model)!;
        Tokenizer tokenizer = Load(folder, Terminal.Error.WriteLine);
        var results = new JsonArray();
        PromptTemplate put = PromptTemplate.Open(parsed.GetValue(template) ?? PromptTemplate.None.Name, folder, tokenizer, Terminal.Error.WriteLine);
        foreach (AlpacaRecord each in records) results.Add(Describe(tokenizer, put, each));
        WriteJsonOr(parsed.GetValue(json), results, () =>
        {
            foreach (JsonNode? result in results)
            {
                Terminal.Out.WriteLine($"ids      {string.Join(' ', result!["ids"]!.AsArray())}");
                Terminal.Out.WriteLine($"pieces   {Visible(string.Join(' ', result["pieces"]!.AsArray()))}");
                Terminal.Out.WriteLine($"decoded  {Visible((string)result["decoded"]!)}");
            }
        });
        int special = records.Select(put.TextOf).Count(tokenizer.HoldsSpecialText);
        if (special > 0)
        {
            Terminal.Error.WriteLine(
                $"{special} of {records.Length} texts hold the text of a special token, which is taken as text, not as the token");
        }
        return ExitCode.Success;
    }

    private AlpacaRecord[] ReadFile(string path)
    {
        IReadOnlyList<AlpacaRecord> records = PromptFile.Read(path, Terminal.Error.WriteLine, mayBeEmpty: true);
        int outputs = records.Count(static record => record.Output.Length > 0);
        if (outputs > 0) Terminal.Error.WriteLine($"{path}: records with an output, which is not shown: {outputs}");
        return [.. records];
    }

    /// <summary>The tokenizer of a folder, which need hold nothing else; only the built-in one asks how large the model's vocabulary is.</summary>
    internal static Tokenizer Load(string folder, Action<string> notice)
    {
        InputFile.RequireFolder(folder, "a Hugging Face model folder");
        if (Tokenizer.TryLoad(folder, notice) is { } own) return own;
        return File.Exists(Path.Combine(folder, "config.json"))
            ? Tokenizer.LoadFor(folder, ModelConfiguration.Load(folder).VocabularySize, notice)
            : Tokenizer.Load(folder);
    }

    /// <summary>In one line: a line break as \n, other control characters by their numbers.</summary>
    private static string Visible(string text) => string.Concat(text.Select(static character => character switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ when char.IsControl(character) => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
        _ => character.ToString(),
    }));

    private static JsonObject Describe(Tokenizer tokenizer, PromptTemplate put, AlpacaRecord record)
    {
        int[] ids = put.Encode(tokenizer, record);
        if (put is not ChatTemplate && tokenizer.ClosingId is { } closing) ids = [.. ids, closing];
        return new JsonObject
        {
            ["text"] = put.Prompt(record),
            ["ids"] = JsonValues.Array(ids),
            ["pieces"] = new JsonArray([.. ids.Select(id => (JsonNode)tokenizer.Piece(id))]),
            ["decoded"] = tokenizer.Decode(ids),
        };
    }
}

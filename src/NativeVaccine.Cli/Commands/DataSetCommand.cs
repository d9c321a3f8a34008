using System.CommandLine;
using NativeVaccine.Cli.Options;
using NativeVaccine.Data;
using NativeVaccine.Data.Sets;
using NativeVaccine.Tokenization;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>Makes records, prompts or pairs of one data set.</summary>
internal sealed class DataSetCommand : DataVerb
{
    private const int UsualLength = 200;  // that of training
    private readonly DataSet set;
    private readonly Option<string?> from = OptionKinds.Text("--from", "FILE|FOLDER", "what the data set is published in: a file, or a folder of shards");
    private readonly Option<string?> split = OptionKinds.Choice("--split", "which files of a folder, by their names, where it has several", "train", "validation", "test");
    private readonly Option<string?>? only;
    private readonly Option<string?> form;
    private readonly Option<int?> skip = OptionKinds.WholeNumber("--skip", "pass over so many records first", 0);
    private readonly Option<int?> limit = OptionKinds.WholeNumber("--limit", "write at most so many records, the first ones", 1);
    private readonly Option<string?> unique = OptionKinds.Choice(
        "--unique", "leave out records whose prompt, or prompt and answer, an earlier one has; they are only counted unless given", "prompts", "records");
    private readonly Option<string?>? field;
    private readonly Option<string?>? preset;
    private readonly Option<string?> model = OptionKinds.Text("--model", "DIR", "count what --max-length cuts with the tokenizer of this folder");
    private readonly Option<int?> maxLength = OptionKinds.WholeNumber("--max-length", "tokens, for --model; 200 unless given", 2);
    private readonly Option<string?> template = OptionKinds.Template("how a record is put to the model, for --model; alpaca unless given, chat for conversations");

    public DataSetCommand(DataSet set, CommandContext context)
        : base(set.Name, set.Description, $"nvaccine data {set.Name} {set.Example}", context)
    {
        this.set = set;
        from.Required = true;
        form = OptionKinds.Choice("--as", $"what becomes of them; {Word(set.Forms[0])} unless given", [.. set.Forms.Select(Word)]);
        var own = new List<Option> { from, split };
        if (set.TakesField)
            own.Add(field = OptionKinds.Text("--field", "NAME", "the field with the question, where it is none of those that are known"));
        if (set.Kinds.Count > 0) own.Add(only = OptionKinds.Choice("--only", OnlyHelp(), [.. set.Kinds, DataSet.AllKinds]));
        if (set.Forms.Count > 1) own.Add(form);
        own.AddRange([skip, limit, unique]);
        if (set.ReferenceDiffers is { } difference) own.Add(preset = PresetOption(difference));
        if (set.Forms.Any(static one => one != RecordForm.Prompts)) own.AddRange([model, maxLength, template]);
        AddWithOutput(own);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        RecordForm asked = parsed.GetValue(form) is { } word ? set.Forms.First(one => Word(one) == word) : set.Forms[0];
        Preset chosen = preset is null ? Preset.Paper : OptionKinds.Word(parsed, preset, Preset.Paper);
        var options = new ConversionOptions(set, parsed.GetRequiredValue(from)!, parsed.GetRequiredValue(Out)!)
        {
            Split = parsed.GetValue(split),
            Kind = (only is null ? null : parsed.GetValue(only)) ?? set.DefaultKindFor(chosen, asked),
            Form = asked,
            Field = field is null ? null : parsed.GetValue(field),
            Preset = chosen,
            Skip = parsed.GetValue(skip) ?? 0,
            Limit = parsed.GetValue(limit) ?? int.MaxValue,
            Unique = OptionKinds.Word(parsed, unique, Uniqueness.None),
            IsStrict = parsed.GetValue(Strict),
            Against = parsed.GetValue(Against)!,
            Length = LengthForm(parsed, asked),
        };
        return Make(parsed, progress => DataConversion.Run(options, progress, Terminal.Error.WriteLine, Cancellation));
    }

    private SampleForm? LengthForm(ParseResult parsed, RecordForm asked)
    {
        if (parsed.GetValue(model) is not { } folder)
        {
            return parsed.FirstGiven([maxLength, template]) is { } other
                ? throw new InputException($"{ParseErrors.NameOf(parsed)}: {other.Name} says how --model counts: expected --model too")
                : null;
        }
        if (asked == RecordForm.Prompts)
            throw new InputException($"{ParseErrors.NameOf(parsed)}: --model counts what of records is cut: expected no --as prompts");
        Tokenizer tokenizer = TokenizeCommand.Load(folder, Terminal.Error.WriteLine);
        string name = parsed.GetValue(template) ?? (set.IsOfConversations ? PromptTemplate.Chat : PromptTemplate.Alpaca.Name);
        return new SampleForm(tokenizer, PromptTemplate.Open(name, folder, tokenizer, Terminal.Error.WriteLine), parsed.GetValue(maxLength) ?? UsualLength);
    }

    private string OnlyHelp()
    {
        string records = set.DefaultKindFor(Preset.Paper, RecordForm.Records);
        IEnumerable<string> others = set.Forms.Where(one => set.DefaultKindFor(Preset.Paper, one) != records)
            .Select(one => $"{set.DefaultKindFor(Preset.Paper, one)} with --as {Word(one)}");
        string which = set.KindsAre is { } kinds ? $"which records ({kinds})" : "which records";
        return $"{which}; {string.Join(", ", others.Prepend(records))} unless given";
    }

    private static string Word(RecordForm one) => one.ToString().ToLowerInvariant();
}

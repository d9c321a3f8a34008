using System.CommandLine;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data.Sets;
using NativeVaccine.IO;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>A verb that makes a file of records: what all of them share.</summary>
internal abstract class DataVerb : Verb
{
    private readonly Option<string?> json = OptionKinds.JsonOutput();

    /// <summary>A verb with the options that all have.</summary>
    protected DataVerb(string name, string description, string example, CommandContext context) : base(name, description, example, context) =>
        Out.Required = true;

    /// <summary>The file to write.</summary>
    protected Option<string?> Out { get; } = OptionKinds.Text("--out", "FILE", "the file to write: .json (an array) or .jsonl (a record a line)");

    /// <summary>Whether what does not fit is refused.</summary>
    protected Option<bool> Strict { get; } = OptionKinds.Switch("--strict", "refuse a file at its first record that does not fit, instead of leaving it out");

    /// <summary>Other pools.</summary>
    protected Option<string[]> Against { get; } = OptionKinds.Repeated(
        "--against", "FILE|FOLDER", "another pool (training, probe, test), in which the records' prompts are looked for; may be repeated");

    /// <summary>Adds the verb's own options, and those that all have.</summary>
    protected void AddWithOutput(params IEnumerable<Option> own) => AddAll([.. own, Strict, Against, Out, json, ConfigurationFile.CreateOption()]);

    /// <summary>The option of the preset, for a verb in which the authors' program differs.</summary>
    protected static Option<string?> PresetOption(string difference) =>
        OptionKinds.Words<Preset>("--preset", $"paper, or what the authors' program makes of it: {difference}; paper unless given");

    /// <summary>Makes the file and tells what became of the records.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="work">Makes it.</param>
    protected int Make(ParseResult parsed, Func<Action<double, string>, PoolReport> work)
    {
        string path = parsed.GetRequiredValue(Out)!;
        if (parsed.GetValue(json) is { } result && AtomicFile.IsSame(result, path))
            throw new InputException($"{path}: is given for --out and --json; expected two files");
        if (parsed.GetValue(Against)!.FirstOrDefault(pool => AtomicFile.IsSame(pool, path)) is not null)
            throw new InputException($"{path}: is what --against reads; expected another file to write");
        AtomicFile.RequireWritable(path);
        PoolReport report = ProgressDisplay.Run(Terminal, display =>
        {
            ProgressStage? stage = null;
            string shown = "";
            return work((share, file) =>
            {
                if (stage is null || file != shown) stage = display.Stage($"reading {shown = file}");
                stage.Report(share);
            });
        });
        Terminal.Error.WriteLine($"wrote {path}");
        JsonObject described = report.ToJson();
        described["out"] = path;
        described["source"] = ResultSource.Of(parsed);
        WriteJsonAnd(parsed.GetValue(json), described, () =>
        {
            foreach (string line in report.Lines()) Terminal.WriteText(line);
        });
        return ExitCode.Success;
    }
}

using System.CommandLine;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.IO;
using NativeVaccine.Reporting;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>Makes the page of a run or an experiment, or of two runs compared.</summary>
internal sealed class ReportCommand : Verb
{
    private readonly Argument<string[]> folders = new("RUN|DIR")
    {
        Description = "folder of a run, complete or not, or of an experiment; or of two runs, to compare them",
        Arity = new ArgumentArity(1, 2),
    };

    private readonly Option<string?> output = OptionKinds.Text(
        "--out", "FILE.html", "where the page goes; report.html in the folder unless given, or comparison.html here for two runs");

    private readonly Option<string?> pictures = OptionKinds.Text(
        "--pictures", "DIR", "write every chart to this folder as well, as .svg and .png");

    public ReportCommand(CommandContext context) : base(
        "report",
        "Write a page of a run, of an experiment, or of two runs compared, from the files in their folders",
        "nvaccine report ./runs/aligned",
        context)
    {
        Add(folders);
        Add(output);
        Add(pictures);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        string[] given = parsed.GetRequiredValue(folders);
        string file = parsed.GetValue(output) ?? (given.Length == 2 ? ComparisonReport.FileName : Path.Combine(given[0], RunReport.FileName));
        if (!file.EndsWith(".html", StringComparison.OrdinalIgnoreCase)) throw new InputException($"--out {file}: expected a name that ends in .html");
        ReportPage page = Make(given);
        AtomicFile.WriteAllText(file, page.Html);
        Terminal.Error.WriteLine($"wrote {file}");
        if (parsed.GetValue(pictures) is { } folder)
            Terminal.Error.WriteLine(FormattableString.Invariant($"wrote {PictureFiles.Write(folder, page.Figures)} pictures to {folder}"));
        return ExitCode.Success;
    }

    private static ReportPage Make(string[] given)
    {
        if (given is not [var one, var other]) return IsRun(given[0]) ? RunReport.Of(given[0]) : ExperimentReport.Of(given[0]);
        foreach (string folder in given)
        {
            if (!IsRun(folder)) throw new InputException($"{folder}: is the folder of an experiment; expected two runs to compare");
        }
        return AtomicFile.IsSame(one, other)
            ? throw new InputException($"{other}: is the folder given before it; expected another run to compare with")
            : ComparisonReport.Of(one, other);
    }

    /// <summary>Whether a folder is a run's; false for an experiment's.</summary>
    private static bool IsRun(string folder)
    {
        if (!Directory.Exists(folder)) throw new InputException($"{folder}: no such folder; expected that of a run or an experiment");
        if (File.Exists(Path.Combine(folder, RunFolder.ConfigurationFileName))) return true;
        return !File.Exists(Path.Combine(folder, ExperimentResults.FileName))
            ? throw new InputException(
                $"{folder}: has neither {RunFolder.ConfigurationFileName} nor {ExperimentResults.FileName}; expected the folder of a run or an experiment")
            : false;
    }
}

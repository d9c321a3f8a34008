using System.CommandLine;
using NativeVaccine.IO;
using NativeVaccine.Models;
using NativeVaccine.Reporting;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Options;

/// <summary>Keeps a result from taking the place of what the verb reads.</summary>
internal static class ResultPath
{
    /// <summary>Files of which models, adapters and runs are made.</summary>
    private static readonly HashSet<string> Parts =
    [
        .. CompanionFiles.Names, RunFolder.ConfigurationFileName, RunFolder.MetricsFileName, "plan.json", "replay.jsonl", TamperFile.FileName, RunReport.FileName,
        "adapter_config.json", AdapterRecord.FileName,
    ];

    private static readonly string[] PartEndings = [".safetensors", ".bin", ".checkpoint", ".index.json", ".tiktoken"];

    /// <summary>Refuses a path that is one of the files given, or a part of a model, adapter or run given.</summary>
    /// <exception cref="InputException">It is; the message names the option.</exception>
    public static void RequireNoInput(string path, ParseResult parsed)
    {
        if (!File.Exists(path)) return;
        foreach (Option option in parsed.CommandResult.Command.Options.Where(static option => option.Name != OptionKinds.JsonOutputName))
        {
            foreach (string value in parsed.GetResult(option)?.Tokens.Select(static token => token.Value) ?? [])
            {
                if (File.Exists(WithoutPool(value)) && AtomicFile.IsSame(WithoutPool(value), path))
                    throw new InputException($"{path}: is what {option.Name} reads; expected another file for the result");
                if (IsPart(path) && Directory.Exists(value) && AtomicFile.IsWithin(path, value))
                    throw new InputException($"{path}: belongs to {option.Name} {value}; expected another file for the result");
            }
        }
    }

    private static bool IsPart(string path) =>
        Parts.Contains(Path.GetFileName(path)) || PartEndings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal));

    /// <summary>A pool may be named after the path: samples.jsonl#align.</summary>
    private static string WithoutPool(string value) =>
        !File.Exists(value) && value.LastIndexOf('#') is > 0 and var mark ? value[..mark] : value;
}

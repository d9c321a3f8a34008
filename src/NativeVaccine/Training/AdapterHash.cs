using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Training;

/// <summary>A hash of what an adapter does: its weights' file, and the fields of its configuration that change numbers.</summary>
public static class AdapterHash
{
    private const string ConfigurationFileName = "adapter_config.json";

    private static readonly string[] WeightsFileNames = ["adapter_model.safetensors", "adapter_model.bin"];

    /// <summary>Fields that say where an adapter came from or how it is used; people change them when they move or publish it.</summary>
    private static readonly string[] Remarks =
        ["auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version", "revision", "task_type"];

    /// <summary>32 hexadecimal digits of XxHash128.</summary>
    /// <exception cref="InputException">The folder or one of its files is missing or cannot be read.</exception>
    public static string Of(string folder)
    {
        InputFile.RequireFolder(folder, "a PEFT adapter");
        var hash = new XxHash128();
        AppendConfiguration(hash, Path.Combine(folder, ConfigurationFileName));
        string weights = WeightsFileNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
            ?? throw new InputException($"{folder}: has no {WeightsFileNames[0]}; expected a PEFT adapter");
        try
        {
            using FileStream stream = File.OpenRead(weights);
            hash.Append(stream);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{weights}: cannot be read: {InputText.OneLine(exception.Message)}", exception);
        }
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    /// <summary>Writers order and indent the fields differently.</summary>
    private static void AppendConfiguration(XxHash128 hash, string file)
    {
        using JsonDocument document = JsonFile.ReadObject(file);
        IEnumerable<JsonProperty> fields = document.RootElement.EnumerateObject()
            .Where(static field => !Remarks.Contains(field.Name) && field.Value.ValueKind != JsonValueKind.Null)
            .OrderBy(static field => field.Name, StringComparer.Ordinal);
        foreach (JsonProperty field in fields) hash.Append(Encoding.UTF8.GetBytes($"{field.Name}={JsonText.Compact(field.Value)}\n"));
    }
}

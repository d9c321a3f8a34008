using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>An instruction, what it is about (may be empty), and the answer to learn.</summary>
public sealed record AlpacaRecord(string Instruction, string Input, string Output)
{
    /// <summary>Reads instruction, input (optional) and output of a JSON object; other fields are ignored.</summary>
    /// <param name="record">The object.</param>
    /// <param name="where">File and record, for messages.</param>
    /// <param name="outputRequired">False where only the prompt is wanted.</param>
    internal static AlpacaRecord Read(JsonElement record, string where, bool outputRequired) => new(
        JsonRecord.RequiredText(record, "instruction", where),
        JsonRecord.OptionalText(record, "input", where) ?? "",
        outputRequired ? JsonRecord.RequiredText(record, "output", where) : JsonRecord.OptionalText(record, "output", where) ?? "");
}

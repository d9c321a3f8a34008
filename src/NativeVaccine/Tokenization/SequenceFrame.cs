using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>The tokens that tokenizer.json's post-processor puts around a text.</summary>
/// <param name="Opening">The token before the text; null for none.</param>
/// <param name="Closing">The token after it; null for none.</param>
internal sealed record SequenceFrame(int? Opening, int? Closing)
{
    /// <summary>Reads post_processor.</summary>
    /// <exception cref="InputException">A step is not supported.</exception>
    public static SequenceFrame Read(JsonElement root, string source)
    {
        string where = $"{source}: post_processor";
        var frame = new SequenceFrame(null, null);
        foreach (JsonElement step in TokenizerJson.Steps(JsonRecord.Optional(root, "post_processor"), "processors", where))
        {
            string type = JsonRecord.RequiredText(step, "type", where);
            if (type == "TemplateProcessing")
                frame = FromTemplate(step, where);
            else if (type != "ByteLevel")
                throw new InputException(
                    $"{where}: '{InputText.Shorten(type)}' is not supported: expected TemplateProcessing and ByteLevel");
        }

        return frame;
    }

    private static SequenceFrame FromTemplate(JsonElement template, string where)
    {
        JsonElement single = JsonRecord.Required(template, "single", where);
        if (single.ValueKind != JsonValueKind.Array || single.GetArrayLength() == 0)
            throw new InputException($"{where}: single is {JsonRecord.Describe(single)}: expected an array of steps");
        int? opening = null;
        int? closing = null;
        bool textSeen = false;
        foreach (JsonElement step in single.EnumerateArray())
        {
            JsonRecord.RequireObject(step, $"{where}: single");
            if (JsonRecord.Optional(step, "SpecialToken") is not { } token)
            {
                if (JsonRecord.Optional(step, "Sequence") is null || textSeen)
                    throw new InputException($"{where}: single holds something besides one text and special tokens, which is not supported");
                textSeen = true;
                continue;
            }

            int id = SpecialId(template, token, where);
            if ((textSeen ? closing : opening) is not null)
                throw new InputException($"{where}: the template opens or closes with more than one token, which is not supported");
            if (textSeen)
                closing = id;
            else
                opening = id;
        }

        return textSeen ? new SequenceFrame(opening, closing) : throw new InputException($"{where}: single has no text: expected a Sequence");
    }

    private static int SpecialId(JsonElement template, JsonElement token, string where)
    {
        JsonRecord.RequireObject(token, $"{where}: SpecialToken");
        string name = JsonRecord.RequiredText(token, "id", where);
        JsonElement table = JsonRecord.Required(template, "special_tokens", where);
        JsonRecord.RequireObject(table, $"{where}: special_tokens");
        string whereEntry = $"{where}: special token '{InputText.Shorten(name)}'";
        if (JsonRecord.Optional(table, name) is not { } entry)
            throw new InputException($"{whereEntry} is missing in special_tokens");
        JsonRecord.RequireObject(entry, whereEntry);
        int[] ids = JsonRecord.Integers(JsonRecord.Required(entry, "ids", whereEntry), "ids", whereEntry);
        return ids is [>= 0 and <= TokenizerConfiguration.LargestId]
            ? ids[0]
            : throw new InputException($"{whereEntry} has {ids.Length} ids: expected one id from 0 to {TokenizerConfiguration.LargestId}");
    }
}

using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>Writes a Hugging Face model folder that transformers opens. It appears whole or not at all.</summary>
public static class ModelWriter
{
    /// <summary>The size at which transformers begins another file.</summary>
    public const long DefaultMaximumShardBytes = 5_000_000_000;

    /// <summary>
    /// Writes config.json and the weights, as <see cref="ModelConfiguration.StoredType"/>; generation_config.json only for a model that was
    /// not read from files.
    /// </summary>
    /// <param name="folder">A new or empty folder.</param>
    /// <param name="configuration">Shape and type of what is written.</param>
    /// <param name="weights">Gives the values, piece by piece, tensor after tensor.</param>
    /// <param name="addFiles">Puts more files, such as a tokenizer's, into the folder that it is given.</param>
    /// <param name="maximumShardBytes">Weights beyond this go into several files with an index.</param>
    /// <param name="tensors">What is written, and under which names; what transformers writes unless given.</param>
    /// <exception cref="InputException">The folder is not empty or cannot be written, or the source refuses.</exception>
    public static void Write(
        string folder,
        ModelConfiguration configuration,
        IWeightSource weights,
        Action<string>? addFiles = null,
        long maximumShardBytes = DefaultMaximumShardBytes,
        IEnumerable<StoredWeight>? tensors = null) => AtomicFolder.Create(folder, temporary =>
        {
            addFiles?.Invoke(temporary);
            AtomicFile.WriteAllText(Path.Combine(temporary, ModelConfigurationReader.FileName), configuration.ToJson());
            string generation = Path.Combine(temporary, GenerationConfiguration.FileName);
            if (configuration.SourceJson is null && !File.Exists(generation))
                AtomicFile.WriteAllText(generation, ModelConfigurationWriter.WriteGeneration(configuration));
            IEnumerable<StoredWeight> stored = tensors ?? StoredWeight.Of(configuration);
            WriteWeights(temporary, Shards(stored, configuration.StoredType, weights, maximumShardBytes));
        });

    private static List<List<TensorToWrite>> Shards(
        IEnumerable<StoredWeight> stored, ElementType type, IWeightSource weights, long maximumShardBytes)
    {
        var shards = new List<List<TensorToWrite>>();
        long size = 0;
        foreach (StoredWeight weight in stored)
        {
            var tensor = new TensorToWrite(
                weight.Name,
                type,
                weight.Shape,
                (first, destination) => weight.Read(weights, destination, first));
            if (shards.Count == 0 || size + tensor.ByteLength > maximumShardBytes)
            {
                shards.Add([]);
                size = 0;
            }
            shards[^1].Add(tensor);
            size += tensor.ByteLength;
        }
        return shards;
    }

    private static void WriteWeights(string folder, List<List<TensorToWrite>> shards)
    {
        if (shards.Count == 1)
        {
            SafetensorsWriter.Write(Path.Combine(folder, ModelFolder.SingleFileName), shards[0]);
            return;
        }
        var map = new JsonObject();
        for (int i = 0; i < shards.Count; i++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"model-{i + 1:D5}-of-{shards.Count:D5}.safetensors");
            SafetensorsWriter.Write(Path.Combine(folder, name), shards[i]);
            foreach (TensorToWrite tensor in shards[i]) map[tensor.Name] = name;
        }
        long totalSize = shards.Sum(static shard => shard.Sum(static tensor => tensor.ByteLength));
        var index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = totalSize }, ["weight_map"] = map };
        AtomicFile.WriteAllText(Path.Combine(folder, ShardIndex.FileName), JsonText.Indented(index));
    }
}

"""The second half of chat-templates.sh: renders the conversations of templates.json with Jinja2, set up as transformers sets it up
(utils/chat_template_utils.py), and writes published.json."""
import json

import jinja2
import jinja2.ext
import jinja2.sandbox


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
environment.globals["raise_exception"] = raise_exception
with open("templates.json", encoding="utf-8") as file:
    content = json.load(file)
for each in content["templates"]:
    if not each.pop("is_known"):
        continue
    template = environment.from_string(each["template"])
    each["rendered"] = {}
    for name, messages in content["conversations"].items():
        try:
            each["rendered"][name] = template.render(
                messages=messages, bos_token=each["bos_token"], eos_token=each["eos_token"],
                add_generation_prompt=messages[-1]["role"] != "assistant")
        except jinja2.exceptions.TemplateError:
            each["rendered"][name] = None
with open("published.json", "w", encoding="utf-8") as file:
    json.dump({"made_with": f"Jinja2 {jinja2.__version__}", **content}, file, ensure_ascii=True, indent=1)
    file.write("\n")

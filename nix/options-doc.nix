# The reference of a module's options as Markdown, from the options themselves.
{ lib }:
let
  text =
    value:
    if value ? _type && value._type == "literalExpression" then
      "`${flat value.text}`"
    else if value ? _type then
      value.text
    else
      "`${lib.generators.toPretty { multiline = false; } value}`";
  flat =
    value:
    lib.concatStringsSep " " (
      lib.filter (word: word != "") (lib.splitString " " (lib.replaceStrings [ "\n" ] [ " " ] value))
    );
  # Roles of nixpkgs' Markdown are only quotes here.
  plain = lib.replaceStrings [ "{option}`" "{file}`" "{env}`" ] [ "`" "`" "`" ];
  entry = option: ''
    ## `${option.name}`

    ${plain (lib.trim (option.description.text or option.description))}

    - Type: ${option.type}
    ${lib.optionalString (option ? default) "- Default: ${text option.default}\n"}${
      lib.optionalString (option ? example) "- Example: ${text option.example}\n"
    }
  '';
in
platform: options:
let
  ours = lib.filter (
    option: option.visible && !option.internal && lib.hasPrefix "services.nixfleet." option.name
  ) (lib.optionAttrSetToDocList options);
  sorted = lib.sort (a: b: a.name < b.name) ours;
in
''
  # Options on ${platform}

  Written by `tests/steps/45-nix --update` from the modules in `nix/modules/`; the step fails where this differs from them.
  Keys of `settings` are in [configuration.md](configuration.md).

  ${lib.removeSuffix "\n" (lib.concatMapStrings entry sorted)}
''

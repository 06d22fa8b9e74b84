//! The containers of a workload.

use super::{
    Amounts, HttpProbe, Probe, Ready,
    decode::{Unlinked, unlinked},
    fields::{Fields, choice, join, list, mapping, named, not_empty, port_number, string, text_of},
    problems::Problems,
    text,
    yaml::{Kind, Located, Tree},
};

pub(super) struct DraftContainer<'a> {
    pub name: Located<String>,
    pub image: Located<String>,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub variables: Vec<(Located<String>, Unlinked<'a>)>,
    pub files: Vec<Located<String>>,
    pub volumes: Vec<Located<String>>,
    pub before: Vec<(Located<String>, Ready)>,
    pub limits: Amounts,
    pub requests: Amounts,
    pub liveness: Option<Located<Probe>>,
    pub readiness: Option<Located<Probe>>,
    /// File contents and volume sources.
    pub others: Vec<Unlinked<'a>>,
}

pub(super) fn container<'a>(
    name: &Located<String>,
    tree: &'a Tree,
    path: &str,
    problems: &mut Problems,
) -> Option<DraftContainer<'a>> {
    let known = [
        "image",
        "command",
        "args",
        "variables",
        "files",
        "volumes",
        "before",
        "resources",
        "livenessProbe",
        "readinessProbe",
    ];
    let fields = Fields::strict(tree, path, &known, problems)?;
    let image = fields.require("image", problems).and_then(|(tree, path)| {
        let text = text_of(tree, &path, not_empty, "names no image", problems)?;
        Some(Located {
            value: text.to_owned(),
            position: tree.position.clone(),
        })
    });
    let mut words = |name: &str| {
        fields
            .get(name)
            .map(|(tree, path)| strings(tree, &path, problems))
            .unwrap_or_default()
    };
    let (command, args) = (words("command"), words("args"));
    let mut others = Vec::new();
    let variables = fields
        .get("variables")
        .map(|(tree, path)| variables(tree, &path, problems))
        .unwrap_or_default();
    let files = fields
        .get("files")
        .map(|(tree, path)| mounts(tree, &path, file, &mut others, problems))
        .unwrap_or_default();
    let volumes = fields
        .get("volumes")
        .map(|(tree, path)| mounts(tree, &path, volume, &mut others, problems))
        .unwrap_or_default();
    let before = fields
        .get("before")
        .map(|(tree, path)| before(tree, &path, problems))
        .unwrap_or_default();
    let (limits, requests) = fields
        .get("resources")
        .map(|(tree, path)| sizes(tree, &path, problems))
        .unwrap_or_default();
    let mut probes = |name: &str| {
        let (tree, path) = fields.get(name)?;
        Some(Located {
            value: probe(tree, &path, problems)?,
            position: tree.position.clone(),
        })
    };
    let (liveness, readiness) = (probes("livenessProbe"), probes("readinessProbe"));
    Some(DraftContainer {
        name: name.clone(),
        image: image?,
        command,
        args,
        variables,
        files,
        volumes,
        before,
        limits,
        requests,
        liveness,
        readiness,
        others,
    })
}

fn strings(tree: &Tree, path: &str, problems: &mut Problems) -> Vec<String> {
    list(tree, path, problems)
        .unwrap_or_default()
        .iter()
        .enumerate()
        .filter_map(|(index, item)| string(item, &format!("{path}[{index}]"), problems))
        .map(str::to_owned)
        .collect()
}

fn variables<'a>(
    tree: &'a Tree,
    path: &str,
    problems: &mut Problems,
) -> Vec<(Located<String>, Unlinked<'a>)> {
    let mut found = Vec::new();
    for (key, value) in mapping(tree, path, problems).unwrap_or_default() {
        let path = join(path, &key.value);
        if !text::is_variable(&key.value) {
            problems.add(&path, "a variable's name has no '='", &key.position);
        }
        if let Some(text) = string(value, &path, problems) {
            let unlinked = Unlinked {
                path,
                text,
                position: value.position.clone(),
                bytes: value.bytes,
            };
            found.push((key.clone(), unlinked));
        }
    }
    found
}

type Mount = for<'a> fn(&'a Tree, &str, bool, &mut Vec<Unlinked<'a>>, &mut Problems);

/// Files or volumes: a mapping by target, or the deprecated list.
fn mounts<'a>(
    tree: &'a Tree,
    path: &str,
    read: Mount,
    others: &mut Vec<Unlinked<'a>>,
    problems: &mut Problems,
) -> Vec<Located<String>> {
    let mut targets = Vec::new();
    match &tree.kind {
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                read(item, &format!("{path}[{index}]"), true, others, problems);
                targets.push(Located {
                    value: format!("[{index}]"),
                    position: item.position.clone(),
                });
            }
        }
        _ => {
            for (key, item) in mapping(tree, path, problems).unwrap_or_default() {
                read(item, &join(path, &key.value), false, others, problems);
                targets.push(key.clone());
            }
        }
    }
    targets
}

fn target(fields: &Fields<'_>, in_list: bool, fits: fn(&str) -> bool, problems: &mut Problems) {
    let Some((tree, path)) = fields.get("target") else {
        return;
    };
    if in_list {
        text_of(tree, &path, fits, "is not a target", problems);
    } else {
        let message = "the target is the key of the mapping; 'target' is only for the list form";
        problems.add(path, message, &tree.position);
    }
}

fn file<'a>(
    tree: &'a Tree,
    path: &str,
    in_list: bool,
    others: &mut Vec<Unlinked<'a>>,
    problems: &mut Problems,
) {
    let known = [
        "target",
        "mode",
        "source",
        "content",
        "binaryContent",
        "noExpand",
    ];
    let Some(fields) = Fields::strict(tree, path, &known, problems) else {
        return;
    };
    target(&fields, in_list, not_empty, problems);
    if let Some((tree, path)) = fields.get("mode") {
        let must = "is not an octal file mode such as 0644";
        text_of(tree, &path, text::is_mode, must, problems);
    }
    if let Some((tree, path)) = fields.get("source") {
        text_of(tree, &path, not_empty, "names no file", problems);
    }
    let mut expand = true;
    if let Some((tree, path)) = fields.get("noExpand") {
        match tree.kind {
            Kind::Bool(it) => expand = !it,
            _ => problems.add(
                path,
                format!("this must be true or false, but it is {}", tree.noun()),
                &tree.position,
            ),
        }
    }
    if let Some((tree, path)) = fields.get("binaryContent") {
        string(tree, &path, problems);
    }
    if let Some((tree, path)) = fields.get("content")
        && string(tree, &path, problems).is_some()
        && expand
    {
        unlinked(tree, &path, others);
    }
    let given = ["content", "binaryContent", "source"]
        .iter()
        .filter(|name| fields.get(name).is_some())
        .count();
    if given != 1 {
        problems.add(
            path,
            "a file has exactly one of 'content', 'binaryContent' and 'source'",
            &tree.position,
        );
    }
}

fn volume<'a>(
    tree: &'a Tree,
    path: &str,
    in_list: bool,
    others: &mut Vec<Unlinked<'a>>,
    problems: &mut Problems,
) {
    let known = ["source", "path", "target", "readOnly"];
    let Some(fields) = Fields::strict(tree, path, &known, problems) else {
        return;
    };
    target(&fields, in_list, |_| true, problems);
    if let Some((tree, path)) = fields.require("source", problems)
        && string(tree, &path, problems).is_some()
    {
        unlinked(tree, &path, others);
    }
    if let Some((tree, path)) = fields.get("path") {
        string(tree, &path, problems);
    }
    if let Some((tree, path)) = fields.get("readOnly")
        && !matches!(tree.kind, Kind::Bool(_))
    {
        let message = format!("this must be true or false, but it is {}", tree.noun());
        problems.add(path, message, &tree.position);
    }
}

fn before(tree: &Tree, path: &str, problems: &mut Problems) -> Vec<(Located<String>, Ready)> {
    let choices = [
        ("started", Ready::Started),
        ("healthy", Ready::Healthy),
        ("complete", Ready::Complete),
    ];
    let mut found = Vec::new();
    for (name, tree, path) in named(tree, path, problems) {
        let ready = Fields::strict(tree, &path, &["ready"], problems)
            .and_then(|fields| fields.require("ready", problems))
            .and_then(|(tree, path)| choice(tree, &path, &choices, problems));
        found.extend(ready.map(|ready| (name.clone(), ready)));
    }
    found
}

fn sizes(tree: &Tree, path: &str, problems: &mut Problems) -> (Amounts, Amounts) {
    let Some(fields) = Fields::strict(tree, path, &["limits", "requests"], problems) else {
        return Default::default();
    };
    let mut amounts = |name: &str| {
        fields
            .get(name)
            .map(|(tree, path)| amounts(tree, &path, problems))
            .unwrap_or_default()
    };
    (amounts("limits"), amounts("requests"))
}

fn amounts(tree: &Tree, path: &str, problems: &mut Problems) -> Amounts {
    let Some(fields) = Fields::strict(tree, path, &["memory", "cpu"], problems) else {
        return Amounts::default();
    };
    let memory = fields.get("memory").and_then(|(tree, path)| {
        let must = "is not an amount of memory such as 125M or 1.5Gi";
        text_of(tree, &path, text::is_memory, must, problems)
    });
    let cpu = fields.get("cpu").and_then(|(tree, path)| {
        let must = "is not an amount of CPU such as 2, 0.5 or 125m";
        text_of(tree, &path, text::is_cpu, must, problems)
    });
    Amounts {
        milli_cpu: cpu.map(text::milli_cpu),
        memory_bytes: memory.map(text::bytes),
    }
}

fn probe(tree: &Tree, path: &str, problems: &mut Problems) -> Option<Probe> {
    let fields = Fields::strict(tree, path, &["httpGet", "exec"], problems)?;
    let http = fields.get("httpGet");
    let exec = fields.get("exec");
    if http.is_none() && exec.is_none() {
        problems.add(path, "a probe has 'httpGet' or 'exec'", &tree.position);
    }
    Some(Probe {
        http: http.and_then(|(tree, path)| http_probe(tree, &path, problems)),
        exec: exec.and_then(|(tree, path)| {
            let fields = Fields::strict(tree, &path, &["command"], problems)?;
            let (tree, path) = fields.require("command", problems)?;
            Some(strings(tree, &path, problems))
        }),
    })
}

fn http_probe(tree: &Tree, path: &str, problems: &mut Problems) -> Option<HttpProbe> {
    let known = ["host", "scheme", "path", "port", "httpHeaders"];
    let fields = Fields::strict(tree, path, &known, problems)?;
    let host = fields.get("host").and_then(|(tree, path)| {
        text_of(tree, &path, not_empty, "names no host", problems).map(str::to_owned)
    });
    let choices = [("HTTP", false), ("HTTPS", true)];
    let https = fields
        .get("scheme")
        .and_then(|(tree, path)| choice(tree, &path, &choices, problems));
    let url_path = fields
        .require("path", problems)
        .and_then(|(tree, path)| string(tree, &path, problems));
    let port = fields
        .require("port", problems)
        .and_then(|(tree, path)| port_number(tree, &path, problems));
    let mut headers = Vec::new();
    if let Some((tree, path)) = fields.get("httpHeaders") {
        for (index, item) in list(tree, &path, problems)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            headers.extend(header(item, &format!("{path}[{index}]"), problems));
        }
    }
    Some(HttpProbe {
        path: url_path?.to_owned(),
        port: port?,
        https: https.unwrap_or(false),
        host,
        headers,
    })
}

fn header(tree: &Tree, path: &str, problems: &mut Problems) -> Option<(String, String)> {
    let fields = Fields::strict(tree, path, &["name", "value"], problems)?;
    let name = fields.require("name", problems).and_then(|(tree, path)| {
        text_of(
            tree,
            &path,
            text::is_header,
            "is not a header's name",
            problems,
        )
    });
    let value = fields
        .require("value", problems)
        .and_then(|(tree, path)| text_of(tree, &path, not_empty, "is empty", problems));
    Some((name?.to_owned(), value?.to_owned()))
}

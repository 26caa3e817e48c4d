//! The command line's arguments.

use crate::controller::LabTime;
use crate::demo::Mishap;
use crate::exit;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use drydock_spec::wire::config::DESIRED_BRANCH;
use std::path::PathBuf;

/// Upgrades the operating system of Windows failover clusters by pull request.
#[derive(Debug, Parser)]
#[command(name = "drydock", version, about, after_help = exit::table(), disable_help_subcommand = true, max_term_width = 110)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// See it work: a fleet repository, simulated clusters, a controller, and two pull requests, in a minute
    Demo(Demo),
    /// Simulated clusters
    #[command(hide = true)]
    Lab(Lab),
    /// Run a controller: watch the fleet repository and upgrade its clusters
    Run(Run),
    /// Make the status branch, once per fleet
    Init(Init),
    /// Check files of a fleet repository
    Validate(Validate),
    /// Show what merging the working tree would do to each cluster
    Plan(Plan),
    /// Show how clusters stand
    Status(Status),
    /// Say in plain words what a cluster waits for, and what to do
    Why(Why),
    /// Show what was done to a cluster
    History(History),
    /// Look at a cluster's nodes once; orders nothing
    Probe(Probe),
    /// Walk to every node of a cluster, from its name to its facts, and say where it stops and what to do
    Doctor(Doctor),
    /// Speak about a credential for nodes
    #[command(subcommand)]
    Credential(Credential),
    /// Let in a rewritten revision, or a foreign commit of the status branch
    Accept(Accept),
    /// Speak about one node
    #[command(subcommand)]
    Node(Node),
    /// Speak about the time
    #[command(subcommand)]
    Clock(Clock),
    /// Print a JSON Schema
    Schema(Schema),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page
    Man,
}

/// `drydock run`.
#[derive(Debug, ClapArgs)]
pub struct Run {
    /// The controller's configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Claim the status branch, look, and write status; order nothing
    #[arg(long)]
    pub observe: bool,
    /// Take the status branch over from a controller of another name, which must be stopped
    #[arg(long)]
    pub take_over: bool,
    /// The time of a lab
    #[arg(long, hide = true)]
    pub lab_time: Option<LabTime>,
}

/// `drydock lab`.
#[derive(Debug, ClapArgs)]
pub struct Lab {
    /// Where it listens
    #[arg(long)]
    pub socket: PathBuf,
    /// A JSON list of clusters
    #[arg(long)]
    pub clusters: PathBuf,
    /// Seed of all chance
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many times shorter everything takes than on real machines
    #[arg(long, default_value_t = 10)]
    pub shorter: u64,
    /// Its time
    #[arg(long)]
    pub lab_time: LabTime,
}

/// `drydock demo`.
#[derive(Debug, ClapArgs)]
pub struct Demo {
    /// Seed of all chance
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many times faster than the clock on the wall
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub speed: u32,
    /// Keep everything in this folder, which must be empty or not exist
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Let something go wrong
    #[arg(long, value_name = "NAME")]
    pub fault: Option<Mishap>,
}

/// `drydock init`.
#[derive(Debug, ClapArgs)]
pub struct Init {
    /// The controller's configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Claim above every number that any node remembers, after the branch was lost or rewound
    #[arg(long, requires = "above")]
    pub adopt: bool,
    /// The highest epoch that any node remembers; holds name it, and so does `drydock probe`
    #[arg(long, value_name = "NUMBER")]
    pub above: Option<u32>,
}

/// `drydock validate`.
#[derive(Debug, ClapArgs)]
pub struct Validate {
    /// A fleet repository's folder, or single files of one
    #[arg(value_name = "PATH", default_value = ".")]
    pub paths: Vec<PathBuf>,
    /// How to answer
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub output: Form,
}

/// `drydock plan`.
#[derive(Debug, ClapArgs)]
pub struct Plan {
    /// The working tree with the change. The one around the current directory when left out
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// How to answer
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub output: Form,
    /// Where the fleet repository is.
    #[command(flatten)]
    pub repository: Repository,
}

/// `drydock status`.
#[derive(Debug, ClapArgs)]
pub struct Status {
    /// Only these clusters
    #[arg(value_name = "CLUSTER")]
    pub clusters: Vec<String>,
    /// Show it again whenever it changes
    #[arg(short, long)]
    pub watch: bool,
    /// How to answer
    #[arg(short, long, value_enum, default_value_t = StatusForm::Table)]
    pub output: StatusForm,
    /// Where the fleet repository is.
    #[command(flatten)]
    pub repository: Repository,
}

/// `drydock why`.
#[derive(Debug, ClapArgs)]
pub struct Why {
    /// Which cluster
    pub cluster: String,
    /// Where the fleet repository is.
    #[command(flatten)]
    pub repository: Repository,
}

/// `drydock history`.
#[derive(Debug, ClapArgs)]
pub struct History {
    /// Which cluster
    pub cluster: String,
    /// How many entries, newest first
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub number: u32,
    /// Check each commit's signature against these public keys, of controllers and persons: `NAME ssh-ed25519 AAAA…` on each line
    #[arg(long, value_name = "FILE")]
    pub allowed_signers: Vec<PathBuf>,
    /// How to answer
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub output: Form,
    /// Where the fleet repository is.
    #[command(flatten)]
    pub repository: Repository,
}

/// `drydock probe`.
#[derive(Debug, ClapArgs)]
pub struct Probe {
    /// Which cluster
    pub cluster: String,
    /// The controller's configuration, which says how nodes are reached
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Write what the nodes answer into this folder, scrubbed of names and words, as a test case to hand over
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
}

/// `drydock doctor`.
#[derive(Debug, ClapArgs)]
pub struct Doctor {
    /// Which cluster
    pub cluster: String,
    /// Only these nodes
    #[arg(value_name = "NODE")]
    pub nodes: Vec<String>,
    /// The controller's configuration, which says how nodes are reached
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Judge only what a look needs, as for an account that may only read
    #[arg(long)]
    pub observe: bool,
    /// How to answer
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub output: Form,
}

/// `drydock credential`.
#[derive(Debug, Subcommand)]
pub enum Credential {
    /// What was wrong with it is put right: forget its refusals, and log on once more
    Retry(CredentialRetry),
}

/// `drydock credential retry`.
#[derive(Debug, ClapArgs)]
pub struct CredentialRetry {
    /// Its name in the controller's configuration
    pub name: String,
    /// The controller's configuration, which names its state directory
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `drydock accept`.
#[derive(Debug, ClapArgs)]
pub struct Accept {
    /// The revision of the fleet that counts from now on, though it does not descend from the last accepted one
    #[arg(value_name = "REVISION", conflicts_with = "status")]
    pub revision: Option<String>,
    /// A commit of the status branch that is harmless, though no known controller signed it
    #[arg(long, value_name = "COMMIT")]
    pub status: Option<String>,
    /// How it is said.
    #[command(flatten)]
    pub word: Word,
    /// Where the fleet repository is.
    #[command(flatten)]
    pub repository: Repository,
}

/// `drydock node`.
#[derive(Debug, Subcommand)]
pub enum Node {
    /// Fresh attempts for a node, and the machine that answers now is the right one
    Retry(NodeWord),
    /// A node will not come back: nobody waits for it any more
    Gone(NodeWord),
}

/// A word about one node.
#[derive(Debug, ClapArgs)]
pub struct NodeWord {
    /// Which node
    pub node: String,
    /// Its cluster; needed only when several clusters have a node of this name
    #[arg(long, value_name = "CLUSTER")]
    pub cluster: Option<String>,
    /// How it is said.
    #[command(flatten)]
    pub word: Word,
    /// Where the fleet repository is.
    #[command(flatten)]
    pub repository: Repository,
}

/// `drydock clock`.
#[derive(Debug, Subcommand)]
pub enum Clock {
    /// The time of now is right, whatever earlier entries say
    Accept(ClockWord),
}

/// A word about the time.
#[derive(Debug, ClapArgs)]
pub struct ClockWord {
    /// Only this cluster. All of them when left out
    #[arg(long, value_name = "CLUSTER")]
    pub cluster: Option<String>,
    /// How it is said.
    #[command(flatten)]
    pub word: Word,
    /// Where the fleet repository is.
    #[command(flatten)]
    pub repository: Repository,
}

/// How a person's word is said.
#[derive(Debug, ClapArgs)]
pub struct Word {
    /// Why; shown in the history
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Your SSH private key, or the public one (.pub) where an agent or a token has the private half; it must be among the controller's
    /// `allowedSigners.persons`. git's `user.signingKey`, or ~/.ssh/id_ed25519, when left out
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// `drydock schema`.
#[derive(Debug, ClapArgs)]
pub struct Schema {
    /// Which one; a list of all when left out
    pub name: Option<String>,
}

/// `drydock completions`.
#[derive(Debug, ClapArgs)]
pub struct Completions {
    /// For which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Where the fleet repository is, and how to get at it.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Repository")]
pub struct Repository {
    /// The fleet repository: a path or a URL. The `origin` of the clone around the current directory when left out
    #[arg(long, value_name = "REPOSITORY")]
    pub repository: Option<String>,
    /// The fleet's branch: the one that people merge to, and that controllers watch
    #[arg(long, value_name = "BRANCH", default_value = DESIRED_BRANCH)]
    pub base: String,
    /// The status branch. What fleet.yaml says, or drydock/status, when left out
    #[arg(long, value_name = "BRANCH")]
    pub status_branch: Option<String>,
    /// The SSH private key for ssh:// remotes. The agent's when left out
    #[arg(long, value_name = "FILE")]
    pub ssh_key: Option<PathBuf>,
    /// A file whose first line is the token for https:// remotes
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificates (PEM) trusted beside the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Text,
    /// For tools; see `drydock schema`
    Json,
}

/// How to answer a question for status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusForm {
    /// One line per cluster
    Table,
    /// And one line per node
    Wide,
    /// For tools; see `drydock schema`
    Json,
    /// As the status files have it
    Yaml,
}

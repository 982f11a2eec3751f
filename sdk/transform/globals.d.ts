// The compiler's declarations bring a `console` of their own, which hides Node's in every file of the project: this gives back what is used of it.
declare namespace console {
  function error(...data: unknown[]): void;
  function warn(...data: unknown[]): void;
  function info(...data: unknown[]): void;
  function debug(...data: unknown[]): void;
}

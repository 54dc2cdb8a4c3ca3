/** Lower case without accents: "Cầu Câu Lâu" and "cau cau lau" meet. */
export function fold(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").replace(/[đĐ]/g, "d").toLowerCase();
}

/** Whether every word of an already folded query stands in an already folded text. */
export function matches(foldedText: string, foldedQuery: string): boolean {
  return foldedQuery.split(/\s+/).every((word) => foldedText.includes(word));
}

"""What signers read on their page and in our mails, by language. `{what}` is the document, `{store}` the shop."""

from __future__ import annotations

from collections.abc import Mapping

# Records as a signer calls them; {id} is the number that the shop uses.
RECORDS: dict[str, dict[str, str]] = {
    "en": {
        "order": "order {id}", "customer": "your customer account", "company": "your company account",
        "quote": "quote {id}", "promotion": "promotion {id}", "price_list": "price list {id}",
        "product": "product {id}", "supplier": "the supplier agreement", "case": "case {id}", "": "number {id}",
    },
    "de": {
        "order": "Bestellung {id}", "customer": "Ihr Kundenkonto", "company": "Ihr Firmenkonto",
        "quote": "Angebot {id}", "promotion": "Aktion {id}", "price_list": "Preisliste {id}",
        "product": "Artikel {id}", "supplier": "Lieferantenvereinbarung", "case": "Vorgang {id}", "": "Nummer {id}",
    },
    "fr": {
        "order": "commande {id}", "customer": "votre compte client", "company": "votre compte d’entreprise",
        "quote": "devis {id}", "promotion": "promotion {id}", "price_list": "liste de prix {id}",
        "product": "article {id}", "supplier": "accord fournisseur", "case": "dossier {id}", "": "numéro {id}",
    },
    "es": {
        "order": "pedido {id}", "customer": "su cuenta de cliente", "company": "la cuenta de su empresa",
        "quote": "presupuesto {id}", "promotion": "promoción {id}", "price_list": "lista de precios {id}",
        "product": "artículo {id}", "supplier": "acuerdo de proveedor", "case": "caso {id}", "": "número {id}",
    },
    "nl": {
        "order": "bestelling {id}", "customer": "uw klantaccount", "company": "uw bedrijfsaccount",
        "quote": "offerte {id}", "promotion": "actie {id}", "price_list": "prijslijst {id}",
        "product": "artikel {id}", "supplier": "leveranciersovereenkomst", "case": "zaak {id}", "": "nummer {id}",
    },
    "it": {
        "order": "ordine {id}", "customer": "il Suo account cliente", "company": "l’account della Sua azienda",
        "quote": "preventivo {id}", "promotion": "promozione {id}", "price_list": "listino {id}",
        "product": "articolo {id}", "supplier": "accordo fornitore", "case": "pratica {id}", "": "numero {id}",
    },
}  # fmt: skip

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "from": "{store} asks for your signature",
        "document": "Document",
        "about": "About",
        "asked_by": "Asked by",
        "why": "Why",
        "why_holds": "{store} goes on once this is signed.",
        "why_free": "Nothing is held up until you sign.",
        "why_approval": "It needs your approval before {store} goes on.",
        "until": "Open until",
        "progress": "Signatures",
        "progress_of": "{signed} of {all}",
        "preparing": "The document is being prepared",
        "preparing_text": "You get a mail from the signature service as soon as it is ready.",
        "your_turn": "It is your turn to sign",
        "your_turn_text": "Open the mail that the signature service sent to your address, and sign there. "
        "Only that mail leads to the document: nobody else, not even {store}, has your link.",
        "unreachable": "The mail could not be delivered",
        "unreachable_text": "The invitation to your address came back. {store} was told and will ask you anew.",
        "later": "Others sign first",
        "later_text": "You get a mail from the signature service when it is your turn.",
        "waiting": "You have signed. Others still have to",
        "waiting_text": "Once everybody has signed, the signature service mails you the signed document.",
        "arrived": "Your answer has arrived",
        "arrived_text": "We are reading it from the signature service. This page changes by itself.",
        "done": "Everybody has signed",
        "done_text": "The signature service mails you the signed document. You can close this page.",
        "checking": "Your signature is being checked",
        "checking_text": "{store} was told and comes back to you. You need do nothing now.",
        "you_declined": "You declined",
        "you_declined_text": "{store} was told. If it was a mistake, ask a question below.",
        "declined": "Somebody declined",
        "declined_text": "The document is not signed any more. {store} decides how it goes on.",
        "expired": "The time to sign is over",
        "expired_text": "If you still want to sign, ask {store} to send the document again.",
        "replaced": "A newer document takes its place",
        "replaced_text": "Please sign the newer one: a mail from the signature service brings it.",
        "withdrawn": "Your signature is not needed any more",
        "withdrawn_text": "{store} took the document back. You need do nothing.",
        "failed": "The document could not be sent",
        "failed_text": "{store} was told and will ask you anew.",
        "forwarded": "You passed it on",
        "forwarded_text": "Somebody else was asked to sign in your place.",
        "copy": "You get a copy",
        "copy_text": "You need not sign. Once everybody has, the signature service mails you the signed document.",
        "resend": "Send me the mail again",
        "resent": "The mail is on its way again. It may take a few minutes.",
        "resent_lately": "It was sent again a moment ago. Look into your spam folder, too.",
        "question": "I have a question",
        "question_label": "Your question to {store}",
        "question_help": "{store} reads it and answers. Reminders rest until then; the last day to sign stays.",
        "question_send": "Send the question",
        "question_sent": "{store} has your question.",
        "question_empty": "Write your question first.",
        "question_long": "The question has at most {most} characters.",
        "question_many": "You have asked several questions today. {store} answers them first.",
        "you_asked": "You asked",
        "they_answered": "{store} answered",
        "mail": "Write to {store}",
        "test": "This is a test: a signature has no effect.",
        "page_title": "Your signature",
        "secured": "The signature itself is given at the signature service, never on this page.",
        "hello": "Hello {name},",
        "see": "You can see how it stands here:",
        "mail_declined": "{store}: not signed, somebody declined",
        "mail_declined_text": "Somebody who was asked besides you declined {what}. The document is not signed "
        "any more, and "
        "you need do nothing. {store} decides how it goes on.",
        "mail_expired": "{store}: the time to sign is over",
        "mail_expired_text": "The time to sign {what} is over, so it counts as not signed. If you still want it, "
        "ask {store} to "
        "send it again.",
        "mail_replaced": "{store}: a newer document follows",
        "mail_replaced_text": "Something changed, so {what} is not signed as it was. A newer document takes its "
        "place; the "
        "signature service sends it to you. The earlier one is void.",
        "mail_passed_on": "{store}: somebody else was asked instead",
        "mail_passed_on_text": "You were asked for {what} and the time for it ran out, so somebody else was "
        "asked instead. You "
        "need do nothing any more.",
        "mail_overridden": "{store}: your signature is not needed any more",
        "mail_overridden_text": "{store} let it go on without the signature on {what}. You need do nothing any more.",
        "mail_conflict": "{store}: your signature is being checked",
        "mail_conflict_text": "What was signed for {what} differs from what was asked, so a person at {store} "
        "looks at it and "
        "comes back to you. You need do nothing now.",
        "mail_answer": "{store} answered your question",
        "mail_answer_text": "{store} answered what you asked about {what}:",
        "mail_answer_sign": "To sign, open the mail that the signature service sent to you.",
    },
    "de": {
        "from": "{store} bittet um Ihre Unterschrift",
        "document": "Dokument",
        "about": "Betrifft",
        "asked_by": "Angefragt von",
        "why": "Warum",
        "why_holds": "{store} macht weiter, sobald unterschrieben ist.",
        "why_free": "Bis zur Unterschrift wird nichts angehalten.",
        "why_approval": "Ihre Freigabe ist nötig, bevor {store} weitermacht.",
        "until": "Offen bis",
        "progress": "Unterschriften",
        "progress_of": "{signed} von {all}",
        "preparing": "Das Dokument wird vorbereitet",
        "preparing_text": "Sie erhalten eine E-Mail des Signaturdienstes, sobald es bereit ist.",
        "your_turn": "Sie sind an der Reihe",
        "your_turn_text": "Öffnen Sie die E-Mail, die der Signaturdienst an Ihre Adresse gesandt hat, und "
        "unterschreiben Sie "
        "dort. Nur diese E-Mail führt zum Dokument: Niemand sonst, auch nicht {store}, hat Ihren Link.",
        "unreachable": "Die E-Mail kam nicht an",
        "unreachable_text": "Die Einladung an Ihre Adresse kam zurück. {store} weiß davon und fragt Sie neu.",
        "later": "Zuerst unterschreiben andere",
        "later_text": "Sie erhalten eine E-Mail des Signaturdienstes, sobald Sie an der Reihe sind.",
        "waiting": "Sie haben unterschrieben. Andere fehlen noch",
        "waiting_text": "Sobald alle unterschrieben haben, sendet Ihnen der Signaturdienst das unterschriebene "
        "Dokument.",
        "arrived": "Ihre Antwort ist angekommen",
        "arrived_text": "Wir lesen sie beim Signaturdienst. Diese Seite ändert sich von selbst.",
        "done": "Alle haben unterschrieben",
        "done_text": "Der Signaturdienst sendet Ihnen das unterschriebene Dokument. Sie können diese Seite schließen.",
        "checking": "Ihre Unterschrift wird geprüft",
        "checking_text": "{store} weiß davon und meldet sich. Sie müssen jetzt nichts tun.",
        "you_declined": "Sie haben abgelehnt",
        "you_declined_text": "{store} weiß davon. War es ein Versehen, stellen Sie unten eine Frage.",
        "declined": "Jemand hat abgelehnt",
        "declined_text": "Das Dokument wird nicht mehr unterschrieben. {store} entscheidet, wie es weitergeht.",
        "expired": "Die Frist ist abgelaufen",
        "expired_text": "Wenn Sie noch unterschreiben möchten, bitten Sie {store}, das Dokument erneut zu senden.",
        "replaced": "Ein neueres Dokument ersetzt dieses",
        "replaced_text": "Bitte unterschreiben Sie das neuere: Der Signaturdienst sendet es Ihnen per E-Mail.",
        "withdrawn": "Ihre Unterschrift ist nicht mehr nötig",
        "withdrawn_text": "{store} hat das Dokument zurückgezogen. Sie müssen nichts tun.",
        "failed": "Das Dokument konnte nicht gesendet werden",
        "failed_text": "{store} weiß davon und fragt Sie neu.",
        "forwarded": "Sie haben es weitergegeben",
        "forwarded_text": "Jemand anderes wurde gebeten, an Ihrer Stelle zu unterschreiben.",
        "copy": "Sie erhalten eine Kopie",
        "copy_text": "Sie müssen nicht unterschreiben. Sobald alle unterschrieben haben, sendet Ihnen der "
        "Signaturdienst das "
        "unterschriebene Dokument.",
        "resend": "E-Mail erneut senden",
        "resent": "Die E-Mail ist erneut unterwegs. Das kann einige Minuten dauern.",
        "resent_lately": "Sie wurde gerade erst erneut gesendet. Sehen Sie auch im Spam-Ordner nach.",
        "question": "Ich habe eine Frage",
        "question_label": "Ihre Frage an {store}",
        "question_help": "{store} liest sie und antwortet. Bis dahin ruhen Erinnerungen; die Frist bleibt.",
        "question_send": "Frage senden",
        "question_sent": "{store} hat Ihre Frage.",
        "question_empty": "Schreiben Sie zuerst Ihre Frage.",
        "question_long": "Die Frage hat höchstens {most} Zeichen.",
        "question_many": "Sie haben heute mehrere Fragen gestellt. {store} beantwortet zuerst diese.",
        "you_asked": "Ihre Frage",
        "they_answered": "Antwort von {store}",
        "mail": "An {store} schreiben",
        "test": "Dies ist ein Test: Eine Unterschrift hat keine Wirkung.",
        "page_title": "Ihre Unterschrift",
        "secured": "Unterschrieben wird beim Signaturdienst, nie auf dieser Seite.",
        "hello": "Guten Tag {name},",
        "see": "Den Stand sehen Sie hier:",
        "mail_declined": "{store}: nicht unterschrieben, jemand hat abgelehnt",
        "mail_declined_text": "Jemand, der außer Ihnen gefragt wurde, hat {what} abgelehnt. Das Dokument wird "
        "nicht mehr "
        "unterschrieben, Sie müssen nichts tun. {store} entscheidet, wie es weitergeht.",
        "mail_expired": "{store}: Die Frist ist abgelaufen",
        "mail_expired_text": "Die Frist für {what} ist abgelaufen; es gilt als nicht unterschrieben. Wenn Sie es "
        "noch möchten, "
        "bitten Sie {store}, es erneut zu senden.",
        "mail_replaced": "{store}: Ein neueres Dokument folgt",
        "mail_replaced_text": "Etwas hat sich geändert, daher wird {what} so nicht unterschrieben. Ein neueres "
        "Dokument ersetzt "
        "es; der Signaturdienst sendet es Ihnen. Das frühere gilt nicht mehr.",
        "mail_passed_on": "{store}: Jemand anderes wurde gefragt",
        "mail_passed_on_text": "Sie waren für {what} gefragt, und die Zeit dafür ist verstrichen; daher wurde "
        "jemand anderes "
        "gefragt. Sie müssen nichts mehr tun.",
        "mail_overridden": "{store}: Ihre Unterschrift ist nicht mehr nötig",
        "mail_overridden_text": "{store} hat es ohne die Unterschrift auf {what} weitergehen lassen. Sie müssen "
        "nichts mehr tun.",
        "mail_conflict": "{store}: Ihre Unterschrift wird geprüft",
        "mail_conflict_text": "Was für {what} unterschrieben wurde, weicht von der Anfrage ab. Jemand bei "
        "{store} sieht es sich "
        "an und meldet sich. Sie müssen jetzt nichts tun.",
        "mail_answer": "{store} hat Ihre Frage beantwortet",
        "mail_answer_text": "{store} antwortet auf Ihre Frage zu {what}:",
        "mail_answer_sign": "Zum Unterschreiben öffnen Sie die E-Mail des Signaturdienstes.",
    },
    "fr": {
        "from": "{store} demande votre signature",
        "document": "Document",
        "about": "Concerne",
        "asked_by": "Demandé par",
        "why": "Pourquoi",
        "why_holds": "{store} poursuit dès que le document est signé.",
        "why_free": "Rien n’est retenu jusqu’à votre signature.",
        "why_approval": "Votre approbation est nécessaire avant que {store} poursuive.",
        "until": "Ouvert jusqu’au",
        "progress": "Signatures",
        "progress_of": "{signed} sur {all}",
        "preparing": "Le document est en préparation",
        "preparing_text": "Vous recevrez un e-mail du service de signature dès qu’il sera prêt.",
        "your_turn": "C’est à vous de signer",
        "your_turn_text": "Ouvrez l’e-mail que le service de signature a envoyé à votre adresse et signez-y. "
        "Seul cet e-mail "
        "mène au document : personne d’autre, pas même {store}, n’a votre lien.",
        "unreachable": "L’e-mail n’a pas pu être remis",
        "unreachable_text": "L’invitation à votre adresse est revenue. {store} en est informé et vous le "
        "demandera à nouveau.",
        "later": "D’autres signent d’abord",
        "later_text": "Vous recevrez un e-mail du service de signature quand ce sera votre tour.",
        "waiting": "Vous avez signé. D’autres doivent encore le faire",
        "waiting_text": "Quand tous auront signé, le service de signature vous enverra le document signé.",
        "arrived": "Votre réponse est arrivée",
        "arrived_text": "Nous la lisons auprès du service de signature. Cette page change d’elle-même.",
        "done": "Tous ont signé",
        "done_text": "Le service de signature vous envoie le document signé. Vous pouvez fermer cette page.",
        "checking": "Votre signature est en cours de vérification",
        "checking_text": "{store} en est informé et reviendra vers vous. Vous n’avez rien à faire.",
        "you_declined": "Vous avez refusé",
        "you_declined_text": "{store} en est informé. Si c’était une erreur, posez une question ci-dessous.",
        "declined": "Quelqu’un a refusé",
        "declined_text": "Le document n’est plus à signer. {store} décide de la suite.",
        "expired": "Le délai de signature est dépassé",
        "expired_text": "Si vous souhaitez encore signer, demandez à {store} de renvoyer le document.",
        "replaced": "Un document plus récent le remplace",
        "replaced_text": "Veuillez signer le plus récent : le service de signature vous l’envoie par e-mail.",
        "withdrawn": "Votre signature n’est plus nécessaire",
        "withdrawn_text": "{store} a retiré le document. Vous n’avez rien à faire.",
        "failed": "Le document n’a pas pu être envoyé",
        "failed_text": "{store} en est informé et vous le demandera à nouveau.",
        "forwarded": "Vous l’avez transmis",
        "forwarded_text": "Quelqu’un d’autre a été invité à signer à votre place.",
        "copy": "Vous recevez une copie",
        "copy_text": "Vous n’avez pas à signer. Quand tous auront signé, le service de signature vous enverra le "
        "document.",
        "resend": "Renvoyez-moi l’e-mail",
        "resent": "L’e-mail est reparti. Cela peut prendre quelques minutes.",
        "resent_lately": "Il vient d’être renvoyé. Regardez aussi dans les indésirables.",
        "question": "J’ai une question",
        "question_label": "Votre question à {store}",
        "question_help": "{store} la lit et répond. Les rappels cessent jusque-là ; le délai reste le même.",
        "question_send": "Envoyer la question",
        "question_sent": "{store} a votre question.",
        "question_empty": "Écrivez d’abord votre question.",
        "question_long": "La question compte au plus {most} caractères.",
        "question_many": "Vous avez posé plusieurs questions aujourd’hui. {store} y répond d’abord.",
        "you_asked": "Votre question",
        "they_answered": "Réponse de {store}",
        "mail": "Écrire à {store}",
        "test": "Ceci est un test : une signature est sans effet.",
        "page_title": "Votre signature",
        "secured": "La signature se donne auprès du service de signature, jamais sur cette page.",
        "hello": "Bonjour {name},",
        "see": "Vous pouvez suivre l’état ici :",
        "mail_declined": "{store} : non signé, quelqu’un a refusé",
        "mail_declined_text": "Une autre personne sollicitée a refusé {what}. Le document n’est plus à signer et "
        "vous n’avez "
        "rien à faire. {store} décide de la suite.",
        "mail_expired": "{store} : le délai de signature est dépassé",
        "mail_expired_text": "Le délai pour signer {what} est dépassé ; le document est considéré comme non "
        "signé. Si vous le "
        "souhaitez encore, demandez à {store} de le renvoyer.",
        "mail_replaced": "{store} : un document plus récent suit",
        "mail_replaced_text": "Quelque chose a changé ; {what} n’est donc plus à signer tel quel. Un document "
        "plus récent le "
        "remplace et le service de signature vous l’envoie. Le précédent est sans valeur.",
        "mail_passed_on": "{store} : quelqu’un d’autre a été sollicité",
        "mail_passed_on_text": "Vous étiez sollicité pour {what} et le temps prévu est écoulé ; quelqu’un "
        "d’autre a donc été "
        "sollicité. Vous n’avez plus rien à faire.",
        "mail_overridden": "{store} : votre signature n’est plus nécessaire",
        "mail_overridden_text": "{store} a poursuivi sans la signature de {what}. Vous n’avez plus rien à faire.",
        "mail_conflict": "{store} : votre signature est en cours de vérification",
        "mail_conflict_text": "Ce qui a été signé pour {what} diffère de la demande. Une personne chez {store} "
        "l’examine et "
        "reviendra vers vous. Vous n’avez rien à faire.",
        "mail_answer": "{store} a répondu à votre question",
        "mail_answer_text": "{store} répond à votre question sur {what} :",
        "mail_answer_sign": "Pour signer, ouvrez l’e-mail du service de signature.",
    },
    "es": {
        "from": "{store} le pide su firma",
        "document": "Documento",
        "about": "Asunto",
        "asked_by": "Solicitado por",
        "why": "Motivo",
        "why_holds": "{store} continúa en cuanto esté firmado.",
        "why_free": "Nada se detiene hasta que firme.",
        "why_approval": "Se necesita su aprobación antes de que {store} continúe.",
        "until": "Abierto hasta",
        "progress": "Firmas",
        "progress_of": "{signed} de {all}",
        "preparing": "El documento se está preparando",
        "preparing_text": "Recibirá un correo del servicio de firma en cuanto esté listo.",
        "your_turn": "Es su turno de firmar",
        "your_turn_text": "Abra el correo que el servicio de firma envió a su dirección y firme allí. Solo ese "
        "correo lleva al "
        "documento: nadie más, ni siquiera {store}, tiene su enlace.",
        "unreachable": "El correo no pudo entregarse",
        "unreachable_text": "La invitación a su dirección fue devuelta. {store} lo sabe y se lo pedirá de nuevo.",
        "later": "Primero firman otros",
        "later_text": "Recibirá un correo del servicio de firma cuando sea su turno.",
        "waiting": "Usted ha firmado. Faltan otros",
        "waiting_text": "Cuando todos hayan firmado, el servicio de firma le enviará el documento firmado.",
        "arrived": "Su respuesta ha llegado",
        "arrived_text": "La estamos leyendo del servicio de firma. Esta página cambia sola.",
        "done": "Todos han firmado",
        "done_text": "El servicio de firma le envía el documento firmado. Puede cerrar esta página.",
        "checking": "Su firma se está comprobando",
        "checking_text": "{store} lo sabe y se pondrá en contacto. No tiene que hacer nada ahora.",
        "you_declined": "Usted lo ha rechazado",
        "you_declined_text": "{store} lo sabe. Si fue un error, haga una pregunta abajo.",
        "declined": "Alguien lo ha rechazado",
        "declined_text": "El documento ya no se firma. {store} decide cómo seguir.",
        "expired": "El plazo para firmar ha terminado",
        "expired_text": "Si aún desea firmar, pida a {store} que envíe de nuevo el documento.",
        "replaced": "Un documento más nuevo lo sustituye",
        "replaced_text": "Firme el más nuevo: el servicio de firma se lo envía por correo.",
        "withdrawn": "Su firma ya no es necesaria",
        "withdrawn_text": "{store} ha retirado el documento. No tiene que hacer nada.",
        "failed": "El documento no pudo enviarse",
        "failed_text": "{store} lo sabe y se lo pedirá de nuevo.",
        "forwarded": "Usted lo ha pasado a otra persona",
        "forwarded_text": "Se pidió a otra persona que firme en su lugar.",
        "copy": "Usted recibe una copia",
        "copy_text": "No tiene que firmar. Cuando todos hayan firmado, el servicio de firma le enviará el "
        "documento firmado.",
        "resend": "Enviarme el correo de nuevo",
        "resent": "El correo está en camino de nuevo. Puede tardar unos minutos.",
        "resent_lately": "Se acaba de enviar de nuevo. Mire también en el correo no deseado.",
        "question": "Tengo una pregunta",
        "question_label": "Su pregunta a {store}",
        "question_help": "{store} la lee y responde. Hasta entonces no hay recordatorios; el plazo no cambia.",
        "question_send": "Enviar la pregunta",
        "question_sent": "{store} tiene su pregunta.",
        "question_empty": "Escriba primero su pregunta.",
        "question_long": "La pregunta tiene como máximo {most} caracteres.",
        "question_many": "Hoy ha hecho varias preguntas. {store} las responde primero.",
        "you_asked": "Su pregunta",
        "they_answered": "Respuesta de {store}",
        "mail": "Escribir a {store}",
        "test": "Esto es una prueba: una firma no tiene efecto.",
        "page_title": "Su firma",
        "secured": "La firma se da en el servicio de firma, nunca en esta página.",
        "hello": "Hola, {name}:",
        "see": "Puede ver el estado aquí:",
        "mail_declined": "{store}: sin firmar, alguien lo ha rechazado",
        "mail_declined_text": "Otra persona a la que se preguntó ha rechazado {what}. El documento ya no se "
        "firma y usted no "
        "tiene que hacer nada. {store} decide cómo seguir.",
        "mail_expired": "{store}: el plazo para firmar ha terminado",
        "mail_expired_text": "El plazo para firmar {what} ha terminado y cuenta como no firmado. Si aún lo "
        "desea, pida a {store} "
        "que lo envíe de nuevo.",
        "mail_replaced": "{store}: sigue un documento más nuevo",
        "mail_replaced_text": "Algo ha cambiado, por lo que {what} no se firma tal como estaba. Un documento más "
        "nuevo lo "
        "sustituye; el servicio de firma se lo envía. El anterior ya no vale.",
        "mail_passed_on": "{store}: se preguntó a otra persona",
        "mail_passed_on_text": "Se le había pedido {what} y el tiempo se agotó, por lo que se preguntó a otra "
        "persona. Ya no "
        "tiene que hacer nada.",
        "mail_overridden": "{store}: su firma ya no es necesaria",
        "mail_overridden_text": "{store} ha continuado sin la firma de {what}. Ya no tiene que hacer nada.",
        "mail_conflict": "{store}: su firma se está comprobando",
        "mail_conflict_text": "Lo firmado para {what} difiere de lo pedido. Una persona de {store} lo revisa y "
        "se pondrá en "
        "contacto. No tiene que hacer nada ahora.",
        "mail_answer": "{store} ha respondido a su pregunta",
        "mail_answer_text": "{store} responde a su pregunta sobre {what}:",
        "mail_answer_sign": "Para firmar, abra el correo del servicio de firma.",
    },
    "nl": {
        "from": "{store} vraagt om uw handtekening",
        "document": "Document",
        "about": "Betreft",
        "asked_by": "Gevraagd door",
        "why": "Waarom",
        "why_holds": "{store} gaat verder zodra er getekend is.",
        "why_free": "Tot u tekent, wordt niets opgehouden.",
        "why_approval": "Uw goedkeuring is nodig voordat {store} verder gaat.",
        "until": "Open tot",
        "progress": "Handtekeningen",
        "progress_of": "{signed} van {all}",
        "preparing": "Het document wordt voorbereid",
        "preparing_text": "U krijgt een e-mail van de ondertekendienst zodra het klaar is.",
        "your_turn": "U bent aan de beurt om te tekenen",
        "your_turn_text": "Open de e-mail die de ondertekendienst naar uw adres stuurde en teken daar. Alleen "
        "die e-mail leidt "
        "naar het document: niemand anders, ook {store} niet, heeft uw link.",
        "unreachable": "De e-mail kwam niet aan",
        "unreachable_text": "De uitnodiging aan uw adres kwam terug. {store} weet ervan en vraagt u opnieuw.",
        "later": "Eerst tekenen anderen",
        "later_text": "U krijgt een e-mail van de ondertekendienst wanneer u aan de beurt bent.",
        "waiting": "U hebt getekend. Anderen moeten nog",
        "waiting_text": "Zodra iedereen getekend heeft, stuurt de ondertekendienst u het getekende document.",
        "arrived": "Uw antwoord is aangekomen",
        "arrived_text": "We lezen het bij de ondertekendienst. Deze pagina verandert vanzelf.",
        "done": "Iedereen heeft getekend",
        "done_text": "De ondertekendienst stuurt u het getekende document. U kunt deze pagina sluiten.",
        "checking": "Uw handtekening wordt gecontroleerd",
        "checking_text": "{store} weet ervan en komt bij u terug. U hoeft nu niets te doen.",
        "you_declined": "U hebt geweigerd",
        "you_declined_text": "{store} weet ervan. Was het een vergissing, stel dan hieronder een vraag.",
        "declined": "Iemand heeft geweigerd",
        "declined_text": "Het document wordt niet meer getekend. {store} beslist hoe het verder gaat.",
        "expired": "De termijn is verstreken",
        "expired_text": "Wilt u nog tekenen, vraag {store} dan het document opnieuw te sturen.",
        "replaced": "Een nieuwer document vervangt dit",
        "replaced_text": "Teken het nieuwere: de ondertekendienst stuurt het u per e-mail.",
        "withdrawn": "Uw handtekening is niet meer nodig",
        "withdrawn_text": "{store} heeft het document ingetrokken. U hoeft niets te doen.",
        "failed": "Het document kon niet worden verstuurd",
        "failed_text": "{store} weet ervan en vraagt u opnieuw.",
        "forwarded": "U hebt het doorgegeven",
        "forwarded_text": "Iemand anders is gevraagd in uw plaats te tekenen.",
        "copy": "U krijgt een kopie",
        "copy_text": "U hoeft niet te tekenen. Zodra iedereen dat gedaan heeft, stuurt de ondertekendienst u het "
        "document.",
        "resend": "Stuur mij de e-mail opnieuw",
        "resent": "De e-mail is opnieuw onderweg. Dat kan enkele minuten duren.",
        "resent_lately": "Hij is zojuist opnieuw verstuurd. Kijk ook bij ongewenste e-mail.",
        "question": "Ik heb een vraag",
        "question_label": "Uw vraag aan {store}",
        "question_help": "{store} leest en beantwoordt haar. Herinneringen rusten tot dan; de termijn blijft.",
        "question_send": "Vraag versturen",
        "question_sent": "{store} heeft uw vraag.",
        "question_empty": "Schrijf eerst uw vraag.",
        "question_long": "De vraag heeft hoogstens {most} tekens.",
        "question_many": "U hebt vandaag meerdere vragen gesteld. {store} beantwoordt die eerst.",
        "you_asked": "Uw vraag",
        "they_answered": "Antwoord van {store}",
        "mail": "Schrijf aan {store}",
        "test": "Dit is een test: een handtekening heeft geen gevolgen.",
        "page_title": "Uw handtekening",
        "secured": "Tekenen gebeurt bij de ondertekendienst, nooit op deze pagina.",
        "hello": "Dag {name},",
        "see": "Hoe het ervoor staat, ziet u hier:",
        "mail_declined": "{store}: niet getekend, iemand heeft geweigerd",
        "mail_declined_text": "Iemand die naast u gevraagd was, heeft {what} geweigerd. Het document wordt niet "
        "meer getekend; "
        "u hoeft niets te doen. {store} beslist hoe het verder gaat.",
        "mail_expired": "{store}: de termijn is verstreken",
        "mail_expired_text": "De termijn voor {what} is verstreken; het geldt als niet getekend. Wilt u het nog, "
        "vraag {store} "
        "dan het opnieuw te sturen.",
        "mail_replaced": "{store}: een nieuwer document volgt",
        "mail_replaced_text": "Er is iets veranderd, dus {what} wordt niet zo getekend. Een nieuwer document "
        "vervangt het; de "
        "ondertekendienst stuurt het u. Het eerdere vervalt.",
        "mail_passed_on": "{store}: iemand anders is gevraagd",
        "mail_passed_on_text": "U was gevraagd voor {what} en de tijd ervoor is om; daarom is iemand anders "
        "gevraagd. U hoeft "
        "niets meer te doen.",
        "mail_overridden": "{store}: uw handtekening is niet meer nodig",
        "mail_overridden_text": "{store} is verder gegaan zonder de handtekening op {what}. U hoeft niets meer "
        "te doen.",
        "mail_conflict": "{store}: uw handtekening wordt gecontroleerd",
        "mail_conflict_text": "Wat voor {what} getekend is, wijkt af van wat gevraagd was. Iemand bij {store} "
        "bekijkt het en "
        "komt bij u terug. U hoeft nu niets te doen.",
        "mail_answer": "{store} heeft uw vraag beantwoord",
        "mail_answer_text": "{store} antwoordt op uw vraag over {what}:",
        "mail_answer_sign": "Om te tekenen opent u de e-mail van de ondertekendienst.",
    },
    "it": {
        "from": "{store} chiede la Sua firma",
        "document": "Documento",
        "about": "Riguarda",
        "asked_by": "Richiesto da",
        "why": "Perché",
        "why_holds": "{store} prosegue appena il documento è firmato.",
        "why_free": "Nulla resta in sospeso fino alla firma.",
        "why_approval": "Serve la Sua approvazione prima che {store} prosegua.",
        "until": "Aperto fino al",
        "progress": "Firme",
        "progress_of": "{signed} di {all}",
        "preparing": "Il documento è in preparazione",
        "preparing_text": "Riceverà un’e-mail dal servizio di firma appena sarà pronto.",
        "your_turn": "Tocca a Lei firmare",
        "your_turn_text": "Apra l’e-mail che il servizio di firma ha inviato al Suo indirizzo e firmi lì. Solo "
        "quell’e-mail "
        "porta al documento: nessun altro, nemmeno {store}, ha il Suo link.",
        "unreachable": "L’e-mail non è stata recapitata",
        "unreachable_text": "L’invito al Suo indirizzo è tornato indietro. {store} lo sa e Glielo chiederà di nuovo.",
        "later": "Prima firmano altri",
        "later_text": "Riceverà un’e-mail dal servizio di firma quando toccherà a Lei.",
        "waiting": "Lei ha firmato. Mancano altri",
        "waiting_text": "Quando tutti avranno firmato, il servizio di firma Le invierà il documento firmato.",
        "arrived": "La Sua risposta è arrivata",
        "arrived_text": "La stiamo leggendo dal servizio di firma. Questa pagina cambia da sola.",
        "done": "Tutti hanno firmato",
        "done_text": "Il servizio di firma Le invia il documento firmato. Può chiudere questa pagina.",
        "checking": "La Sua firma è in verifica",
        "checking_text": "{store} lo sa e La ricontatterà. Ora non deve fare nulla.",
        "you_declined": "Lei ha rifiutato",
        "you_declined_text": "{store} lo sa. Se è stato un errore, faccia una domanda qui sotto.",
        "declined": "Qualcuno ha rifiutato",
        "declined_text": "Il documento non si firma più. {store} decide come proseguire.",
        "expired": "Il termine per firmare è scaduto",
        "expired_text": "Se desidera ancora firmare, chieda a {store} di inviare di nuovo il documento.",
        "replaced": "Un documento più recente lo sostituisce",
        "replaced_text": "Firmi quello più recente: il servizio di firma Glielo invia per e-mail.",
        "withdrawn": "La Sua firma non serve più",
        "withdrawn_text": "{store} ha ritirato il documento. Non deve fare nulla.",
        "failed": "Non è stato possibile inviare il documento",
        "failed_text": "{store} lo sa e Glielo chiederà di nuovo.",
        "forwarded": "Lei lo ha passato ad altri",
        "forwarded_text": "Un’altra persona è stata invitata a firmare al Suo posto.",
        "copy": "Lei riceve una copia",
        "copy_text": "Non deve firmare. Quando tutti avranno firmato, il servizio di firma Le invierà il "
        "documento firmato.",
        "resend": "Inviatemi di nuovo l’e-mail",
        "resent": "L’e-mail è di nuovo in viaggio. Può richiedere qualche minuto.",
        "resent_lately": "È appena stata inviata di nuovo. Guardi anche nella posta indesiderata.",
        "question": "Ho una domanda",
        "question_label": "La Sua domanda a {store}",
        "question_help": "{store} la legge e risponde. Fino ad allora niente solleciti; il termine resta.",
        "question_send": "Invia la domanda",
        "question_sent": "{store} ha la Sua domanda.",
        "question_empty": "Scriva prima la Sua domanda.",
        "question_long": "La domanda ha al massimo {most} caratteri.",
        "question_many": "Oggi ha fatto diverse domande. {store} risponde prima a queste.",
        "you_asked": "La Sua domanda",
        "they_answered": "Risposta di {store}",
        "mail": "Scrivere a {store}",
        "test": "Questa è una prova: una firma non ha effetto.",
        "page_title": "La Sua firma",
        "secured": "La firma si appone presso il servizio di firma, mai su questa pagina.",
        "hello": "Buongiorno {name},",
        "see": "Può vedere lo stato qui:",
        "mail_declined": "{store}: non firmato, qualcuno ha rifiutato",
        "mail_declined_text": "Un’altra persona interpellata ha rifiutato {what}. Il documento non si firma più "
        "e Lei non deve "
        "fare nulla. {store} decide come proseguire.",
        "mail_expired": "{store}: il termine per firmare è scaduto",
        "mail_expired_text": "Il termine per firmare {what} è scaduto; vale come non firmato. Se lo desidera "
        "ancora, chieda a "
        "{store} di inviarlo di nuovo.",
        "mail_replaced": "{store}: segue un documento più recente",
        "mail_replaced_text": "Qualcosa è cambiato, quindi {what} non si firma così com’era. Un documento più "
        "recente lo "
        "sostituisce; il servizio di firma Glielo invia. Il precedente non vale più.",
        "mail_passed_on": "{store}: è stata interpellata un’altra persona",
        "mail_passed_on_text": "Le era stato chiesto {what} e il tempo è scaduto, quindi è stata interpellata "
        "un’altra persona. "
        "Non deve più fare nulla.",
        "mail_overridden": "{store}: la Sua firma non serve più",
        "mail_overridden_text": "{store} ha proseguito senza la firma su {what}. Non deve più fare nulla.",
        "mail_conflict": "{store}: la Sua firma è in verifica",
        "mail_conflict_text": "Quanto firmato per {what} differisce da quanto chiesto. Una persona di {store} lo "
        "esamina e La "
        "ricontatterà. Ora non deve fare nulla.",
        "mail_answer": "{store} ha risposto alla Sua domanda",
        "mail_answer_text": "{store} risponde alla Sua domanda su {what}:",
        "mail_answer_sign": "Per firmare, apra l’e-mail del servizio di firma.",
    },
}


def language_of(tag: str) -> str:
    """Return the language of ours for a tag such as pt-BR; English where we have none."""
    plain = tag.replace("_", "-").split("-")[0].lower()
    return plain if plain in WORDS else "en"


def record_words(language: str, kind: str, record_id: str) -> str:
    """Return how a signer calls a record, in the language."""
    names = RECORDS[language_of(language)]
    return names.get(kind, names[""]).format(id=record_id)


def say(language: str, key: str, **values: object) -> str:
    """Return a text in the language. Values stand in it as they are: whoever shows it escapes them."""
    words: Mapping[str, str] = WORDS[language_of(language)]
    return words[key].format(**values)

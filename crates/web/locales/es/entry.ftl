# Inicio de sesión y segundo factor.
sign-in = Iniciar sesión
sign-in-wrong = El nombre, la contraseña o el código no es correcto.
sign-in-logged = Todo acceso a una historia clínica queda registrado, y el paciente puede leer el registro.
username = Nombre de usuario
password = Contraseña
code = Código
code-hint = Las seis cifras de su aplicación de autenticación.
code-optional = Código (opcional)
code-optional-hint = Si lo escribe ahora, no se le volverá a pedir durante cinco minutos.
throttled = { $minutes ->
    [one] Demasiados intentos. Espere { $minutes } minuto.
   *[other] Demasiados intentos. Espere { $minutes } minutos.
}
step-up-title = Confirme que es usted
step-up-other-organisations = Va a consultar a otros hospitales. Solo responden si ha confirmado su identidad en los últimos cinco minutos.
step-up-break-glass = El acceso de emergencia necesita un segundo factor confirmado en los últimos cinco minutos.
step-up-permission = Va a decidir quién puede ver su historia clínica. Confirme que es usted.
step-up-change = Esto cambia cómo trabaja el hospital con los demás. Confirme que es usted.
step-up-app = Una aplicación pide asegurarse de que es usted. Confírmelo, por favor.
step-up-returns = Después volverá a donde estaba.
not-now = Ahora no
outside-sign-in = Iniciar sesión con { $provider }
outside-step-up = Confirmar con { $provider }
outside-onward-title = En camino
outside-refused-title = No ha funcionado
outside-back = Volver
outside-subject = Su cuenta allí
outside-how-to-link = Inicie sesión aquí de otro modo, abra «Mi inicio de sesión» y vincule allí la cuenta. Si no puede, entregue estas dos líneas al servicio informático de su hospital; puede vincularla cuando sepa que es usted.
outside-expired = Esta respuesta no corresponde a ninguna petición de este navegador: tardó más de diez minutos, ya se usó o se inició en otro lugar. Empiece de nuevo.
outside-mix-up = La respuesta procede de otra organización que la consultada. Nadie ha iniciado sesión. Empiece de nuevo y avise al servicio informático de su hospital si vuelve a ocurrir.
outside-denied = Allí no se inició la sesión, o usted la canceló.
outside-unreachable = No se puede contactar con la otra organización, o no responde como debe. Inicie sesión de otro modo o inténtelo más tarde.
outside-refused = Lo que envió la otra organización no era fiable, así que nadie ha iniciado sesión. Empiece de nuevo y avise al servicio informático de su hospital si vuelve a ocurrir.
outside-too-long-ago = Inició sesión allí hace demasiado tiempo, o la otra organización no dice cuándo. Cierre la sesión allí y empiece de nuevo.
outside-not-linked = Ha iniciado sesión allí, pero ninguna cuenta de este hospital está vinculada a la suya.
outside-taken = Esa cuenta ya está vinculada a otra cuenta de este hospital. Primero hay que desvincularla de ella.
outside-too-many = Tiene tantos vínculos como puede tener una cuenta. Elimine uno primero.
outside-another = Allí ha iniciado sesión otra persona. Cierre la sesión allí e inténtelo de nuevo.
outside-no-second-factor = La otra organización no dice que haya usado un segundo factor. Use una llave de acceso o un código de este hospital.
outside-passkey-needed = Su función necesita una llave de acceso de este hospital. La otra organización no puede sustituirla.
outside-sign-in-needed = Inició sesión hace más de cinco minutos. Cierre la sesión, iníciela de nuevo y vincule la cuenta enseguida.
